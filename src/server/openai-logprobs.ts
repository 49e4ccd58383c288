import type { Vocabulary } from '../engine/engine.ts';
import type { AnswerToken } from '../tokenizer-manager/answer.ts';

const decoder = new TextDecoder();

interface ChatToken {
  token: string;
  logprob: number;
  bytes: number[];
}

/** The `logprobs` object of a chat choice; null when none were asked for. */
export function chatLogprobs(tokens: readonly AnswerToken[], vocabulary: Vocabulary) {
  const known = tokens.filter((token) => token.logprobs);
  if (known.length === 0) return null;
  const describe = (id: number, logprob: number): ChatToken => {
    const bytes = vocabulary.piece(id, true);
    return { token: decoder.decode(bytes), logprob, bytes: [...bytes] };
  };
  return {
    content: known.map(({ id, logprobs }) => ({
      ...describe(id, logprobs?.logprob ?? 0),
      top_logprobs: (logprobs?.top ?? []).map(({ token, logprob }) => describe(token, logprob)),
    })),
    refusal: null,
  };
}

/** The `logprobs` object of a completion choice. Text offsets count from the given number of characters on. */
export function completionLogprobs(
  tokens: readonly AnswerToken[],
  vocabulary: Vocabulary,
  textOffset: number,
) {
  const known = tokens.filter((token) => token.logprobs);
  if (known.length === 0) return null;
  const textOf = (id: number) => decoder.decode(vocabulary.piece(id, true));
  const texts = known.map(({ id }) => textOf(id));
  let offset = textOffset;
  return {
    tokens: texts,
    token_logprobs: known.map(({ logprobs }) => logprobs?.logprob ?? 0),
    top_logprobs: known.map(({ logprobs }) =>
      Object.fromEntries((logprobs?.top ?? []).map(({ token, logprob }) => [textOf(token), logprob])),
    ),
    text_offset: texts.map((text) => {
      const at = offset;
      offset += text.length;
      return at;
    }),
  };
}
