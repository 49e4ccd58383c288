import { decodingWindow } from '../../src/bench/decoding-window.ts';
import { ask } from './client.ts';
import { uniquePrompt } from './prompts.ts';

/** One measurement: so many requests at once, each with a prompt and an answer of a fixed length, in tokens. */
export interface Shape {
  requests: number;
  promptTokens: number;
  answerTokens: number;
}

/** Tokens per second. */
export interface Speed {
  prefill: number;
  decode: number;
}

/** Prompts of two measurements whose seeds are so far apart are different. */
export const SEEDS = 1000;

/**
 * Prefill: all prompts at once with one token of answer each, until the last answer. Decode: answers of full length
 * after other prompts, while all are decoding.
 */
export async function measureThroughput(url: string, shape: Shape, seed: number): Promise<Speed> {
  const start = performance.now();
  const all = (answerTokens: number, from: number) =>
    Promise.all(
      Array.from({ length: shape.requests }, async (_, i) => {
        const { arrivals } = await ask(url, uniquePrompt(from + i, shape.promptTokens), answerTokens);
        return arrivals;
      }),
    );
  const prefills = await all(1, seed);
  const prefilled = Math.max(...prefills.flat());
  const answers = await all(shape.answerTokens, seed + SEEDS / 2);
  const { from, to, tokens } = decodingWindow(answers);
  return {
    prefill: (shape.requests * shape.promptTokens) / ((prefilled - start) / 1000),
    decode: tokens / ((to - from) / 1000),
  };
}
