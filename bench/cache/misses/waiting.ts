import { decodingWindow } from '../../../src/bench/decoding-window.ts';
import { ask, timeToFirstToken } from '../../support/client.ts';
import { storageIdle } from '../../support/server.ts';

/** Milliseconds for equal work: more is worse. */
export interface Waiting {
  /** A prompt alone, to its first token. */
  ttft: number;
  /** Prompts at once, until all of them have their first token. */
  prefill: number;
  /** One token of every answer, when all are decoding. */
  decode: number;
}

export const REQUESTS = 4;

/** How long clients wait. Ends when nothing is written any more: that must not slow the other server down. */
export async function measureWaiting(
  url: string,
  prompt: () => number[],
  answerTokens: number,
): Promise<Waiting> {
  const ttft = timeToFirstToken(await ask(url, prompt(), 1));
  const start = performance.now();
  const answers = await Promise.all(
    Array.from({ length: REQUESTS }, async () => (await ask(url, prompt(), answerTokens)).arrivals),
  );
  const { from, to, tokens } = decodingWindow(answers);
  await storageIdle(url);
  return { ttft, prefill: from - start, decode: ((to - from) / tokens) * REQUESTS };
}
