import { BLOCK, type TraceRequest } from '../../../src/bench/trace/trace.ts';

/**
 * Tokens that a plain LRU of blocks finds: no tree, no tiers, none of the product's code. Of one request the last block
 * counts as used first, so that what goes first is an end that others do not share.
 */
export function plainLruHits(requests: readonly TraceRequest[], capacityTokens: number): number {
  const capacity = Math.floor(capacityTokens / BLOCK);
  const kept = new Set<number>();
  let hits = 0;
  for (const { blocks, promptTokens } of requests) {
    const whole = blocks.subarray(0, Math.floor(promptTokens / BLOCK));
    let known = 0;
    while (known < whole.length && kept.has(whole[known]!)) known++;
    // The last token is always computed.
    hits += Math.min(known * BLOCK, promptTokens - 1);
    for (const block of whole.toReversed()) {
      kept.delete(block);
      kept.add(block);
    }
    for (const oldest of kept) {
      if (kept.size <= capacity) break;
      kept.delete(oldest);
    }
  }
  return hits;
}
