import { BLOCK, type TraceRequest } from '../../../src/bench/trace/trace.ts';
import { Prefix } from '../../../src/cache/prefix.ts';
import { ServedCache, type ServedCacheOptions } from '../served-cache.ts';
import { tokensOf } from './blocks.ts';

/** Tokens of prompts that were not computed, by where they came from. */
export interface Hits {
  device: number;
  host: number;
  storage: number;
}

/**
 * Serves a trace, one request after the other, to several caches side by side: each prompt is built and hashed once for
 * all of them. Answers are not kept: the trace has no ids for them, and those of a next turn cover the answer anew.
 */
export async function replay(
  requests: readonly TraceRequest[],
  caches: readonly Omit<ServedCacheOptions, 'pageSize'>[],
  onProgress: (done: number) => void = () => undefined,
): Promise<Hits[]> {
  const served = await Promise.all(
    caches.map((options) => ServedCache.open({ ...options, pageSize: BLOCK })),
  );
  const hits: Hits[] = caches.map(() => ({ device: 0, host: 0, storage: 0 }));
  for (const [number, request] of requests.entries()) {
    const prefix = new Prefix(tokensOf(request), '', BLOCK);
    for (const [i, cache] of served.entries()) {
      const { device, host, storage } = await cache.begin(prefix);
      await cache.end(prefix);
      const sum = hits[i]!;
      sum.device += device;
      sum.host += host;
      sum.storage += storage;
    }
    onProgress(number + 1);
  }
  return hits;
}
