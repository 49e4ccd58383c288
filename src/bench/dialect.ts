import type { AnswerStream } from './answer-stream.ts';

/** What is asked for, in tokens of {@link ../vocabulary.ts}: as ids, or as text where a server takes no ids. */
export type Prompt = readonly number[] | string;

/** How a server wants to be asked. */
export interface Dialect {
  readonly route: string;
  body(prompt: Prompt, output: number): object;
  /** Prompt tokens that were not computed; undefined where it does not tell. */
  cached(answer: AnswerStream, promptTokens: number): number | undefined;
}

/** @param model the name that it serves, which some ask for */
export function openAi(model: string | undefined): Dialect {
  return {
    route: '/v1/completions',
    body: (prompt, output) => ({
      ...(model === undefined ? {} : { model }),
      prompt,
      max_tokens: output,
      temperature: 0,
      ignore_eos: true,
      stream: true,
      stream_options: { include_usage: true },
      // Of vLLM and TierKV; others do not know it.
      return_token_ids: true,
    }),
    cached: ({ usage, timings }, promptTokens) =>
      usage?.prompt_tokens_details?.cached_tokens ?? computedBy(timings, promptTokens),
  };
}

/** The own route of llama.cpp's server: unlike its OpenAI one it tells the ids of an answer. */
export const LLAMA: Dialect = {
  route: '/completion',
  body: (prompt, output) => ({
    prompt,
    n_predict: output,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    cache_prompt: true,
    return_tokens: true,
  }),
  cached: ({ timings }, promptTokens) => computedBy(timings, promptTokens),
};

function computedBy(timings: AnswerStream['timings'], promptTokens: number): number | undefined {
  return timings && Math.max(0, promptTokens - timings.prompt_n);
}
