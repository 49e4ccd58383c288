import type { Tokenizer } from '../../src/models/bpe.ts';
import { conversation, type Message } from './corpus/conversation.ts';
import type { Draw } from './corpus/draw.ts';
import { echoes } from './corpus/echo.ts';
import { tellStory } from './corpus/story.ts';

/** Tokens that the model sees as one, apart from all others. */
export interface Document {
  readonly tokens: number[];
  /** 1 where the token is to be predicted, 0 where it is only read. */
  readonly learned: number[];
}

/** One document in this many is a story without a conversation, for `/v1/completions`. */
const PLAIN = 10;

/** A document in which answers repeat what was said. */
export function echoDocument(draw: Draw, tokenizer: Tokenizer): Document {
  return chat(echoes(draw), tokenizer);
}

/** A document of at most `most` tokens; `parts` is how many subjects a conversation has. */
export function document(draw: Draw, tokenizer: Tokenizer, parts: number, most: number): Document {
  const { tokens, learned } =
    parts < 3 && draw.once(PLAIN) ? plain(draw, tokenizer) : chat(conversation(draw, parts), tokenizer);
  return { tokens: tokens.slice(0, most), learned: learned.slice(0, most) };
}

function plain(draw: Draw, tokenizer: Tokenizer): Document {
  const tokens = tokenizer.encode(`${tellStory(draw).text}<|endoftext|>`);
  return { tokens, learned: tokens.map(() => 1) };
}

/**
 * A conversation as the chat template renders it. Only what the assistant says is learned, with its end: which
 * question a user asks is chance, and a small model has no room for that.
 */
function chat(messages: readonly Message[], tokenizer: Tokenizer): Document {
  const tokens: number[] = [];
  const learned: number[] = [];
  const add = (text: string, learn: 0 | 1): void => {
    for (const token of tokenizer.encode(text)) {
      tokens.push(token);
      learned.push(learn);
    }
  };
  for (const { role, content } of messages) {
    add(`<|im_start|>${role}\n`, 0);
    add(`${content}<|im_end|>`, role === 'assistant' ? 1 : 0);
    add('\n', 0);
  }
  return { tokens, learned };
}
