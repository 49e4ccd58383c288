/** The time in which all answers of a batch were decoding. */
export interface DecodingWindow {
  /** When the last of them had begun and when the first one ended, in milliseconds; equal where there is no such time. */
  from: number;
  to: number;
  /** Tokens that came between. */
  tokens: number;
}

/**
 * Tokens from before all were decoding came beside prompts, and those from after the first one ended in smaller batches:
 * they say nothing of a batch of that size.
 *
 * @param answers for each, when its tokens came, in milliseconds
 */
export function decodingWindow(answers: readonly (readonly number[])[]): DecodingWindow {
  const from = Math.max(...answers.map((arrivals) => arrivals[0] ?? Number.POSITIVE_INFINITY));
  const to = Math.min(...answers.map((arrivals) => arrivals.at(-1) ?? Number.NEGATIVE_INFINITY));
  if (!(to > from)) return { from, to: from, tokens: 0 };
  return { from, to, tokens: answers.flat().filter((at) => at > from && at <= to).length };
}
