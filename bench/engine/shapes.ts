import type { Shape } from '../support/throughput.ts';

/** Prefill is measured over the prompts, decode over the answers; both at 1, 4 and 8 requests at once. */
export const SHAPES: readonly Shape[] = [1, 4, 8].map((requests) => ({
  requests,
  promptTokens: 512,
  answerTokens: 96,
}));

/** Settings that both sides share. */
export const SETTINGS = { cells: 8192, batchTokens: 512, threads: 2 } as const;
