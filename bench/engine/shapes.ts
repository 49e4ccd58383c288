/** One measurement: so many requests at once, each with a prompt and an answer of a fixed length, in tokens. */
export interface Shape {
  requests: number;
  promptTokens: number;
  answerTokens: number;
}

/** Prefill is measured over the prompts, decode over the answers; both at 1, 4 and 8 requests at once. */
export const SHAPES: readonly Shape[] = [1, 4, 8].map((requests) => ({
  requests,
  promptTokens: 512,
  answerTokens: 96,
}));

/** Settings that both sides share; prompts use the first tokens of the vocabulary. */
export const SETTINGS = { cells: 8192, batchTokens: 512, threads: 2, vocabulary: 1000 } as const;

export interface Speed {
  /** Tokens per second. */
  prefill: number;
  decode: number;
}

/** A prompt that shares no prefix with another one; the same for the same numbers. */
export function uniquePrompt(seed: number, length: number): number[] {
  let state = (seed + 1) * 2654435761;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 256 + (state % (SETTINGS.vocabulary - 256));
  });
}
