import { BLOCK, type TraceRequest } from '../../../src/bench/trace/trace.ts';

/** The prompt's tokens: those of a block differ from those of every other one. */
export function tokensOf({ promptTokens, blocks }: TraceRequest): Int32Array {
  const tokens = new Int32Array(promptTokens);
  for (let i = 0; i < promptTokens; i++) tokens[i] = blocks[Math.floor(i / BLOCK)]! * BLOCK + (i % BLOCK);
  return tokens;
}

/** Tokens of whole blocks, behind each other from the prompt's start, that came before: what no cache can beat. */
export function reusableTokens(requests: readonly TraceRequest[]): number {
  const seen = new Set<number>();
  let tokens = 0;
  for (const { blocks, promptTokens } of requests) {
    const whole = Math.floor(promptTokens / BLOCK);
    let known = 0;
    while (known < whole && seen.has(blocks[known]!)) known++;
    tokens += known * BLOCK;
    for (const block of blocks.subarray(0, whole)) seen.add(block);
  }
  return tokens;
}
