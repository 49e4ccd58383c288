import { describe, expect, it } from 'vitest';
import { reusableTokens, tokensOf } from '../../bench/cache/replay/blocks.ts';
import { plainLruHits } from '../../bench/cache/replay/plain-lru.ts';
import { replay } from '../../bench/cache/replay/replay.ts';
import { BLOCK, readTrace, SAMPLE_TRACE, type TraceRequest } from '../../src/bench/trace/trace.ts';

const OPTIONS = {
  evictionPolicy: 'lru',
  writePolicy: 'write_through',
  keepOnDevice: 0,
  storage: false,
} as const;

const requests = (await readTrace(SAMPLE_TRACE)).slice(0, 500);
const longest = Math.max(...requests.map(({ promptTokens }) => promptTokens));
const reusable = reusableTokens(requests);

/** What a cache of blocks that never forgets finds, counted by comparing every prompt with every earlier one. */
function reusableByComparing(some: readonly TraceRequest[]): number {
  const wholeOf = ({ blocks, promptTokens }: TraceRequest) =>
    blocks.subarray(0, Math.floor(promptTokens / BLOCK));
  return some.reduce((sum, request, i) => {
    const own = wholeOf(request);
    const common = some.slice(0, i).map((earlier) => {
      const differs = own.findIndex((block, at) => block !== wholeOf(earlier)[at]);
      return differs < 0 ? own.length : differs;
    });
    return sum + Math.max(0, ...common) * BLOCK;
  }, 0);
}

describe('the replay of a trace', () => {
  it('counts what can be reused at all', () => {
    const some = requests.slice(0, 150);
    expect(reusableTokens(some)).toBe(reusableByComparing(some));
    expect(reusable).toBeGreaterThan(0);
  });

  it('gives equal blocks equal tokens, and others other ones', () => {
    const tokens = tokensOf({
      timestamp: 0,
      promptTokens: 2 * BLOCK + 3,
      answerTokens: 0,
      blocks: Int32Array.of(7, 9, 7),
    });
    expect(tokens.subarray(2 * BLOCK)).toEqual(tokens.subarray(0, 3));
    expect(new Set(tokens).size).toBe(2 * BLOCK);
  });

  it('finds everything in a tier that holds everything', async () => {
    const promptTokens = requests.reduce((sum, request) => sum + request.promptTokens + BLOCK, 0);
    const [inL2, inL3] = await replay(requests, [
      { ...OPTIONS, deviceTokens: longest, hostTokens: promptTokens },
      { ...OPTIONS, deviceTokens: longest, hostTokens: 4 * longest, storage: true },
    ]);
    // Where a prompt was there before to its last token, that one is computed all the same.
    const within = (found: number) => Math.abs(found - reusable) / reusable;
    expect(within(inL2!.host)).toBeLessThan(0.001);
    expect(inL2!.device + inL2!.storage).toBe(0);
    expect(within(inL3!.host + inL3!.storage)).toBeLessThan(0.001);
    expect(inL3!.storage).toBeGreaterThan(0);
  });

  it('finds in L1 at least the whole blocks, where there are sequence ids for all', async () => {
    const some = requests.slice(0, 100);
    const promptTokens = some.reduce((sum, request) => sum + request.promptTokens, 0);
    const [inL1] = await replay(some, [
      { ...OPTIONS, deviceTokens: promptTokens, keepOnDevice: promptTokens, hostTokens: 0 },
    ]);
    expect(inL1!.host + inL1!.storage).toBe(0);
    expect(inL1!.device / reusableTokens(some)).toBeGreaterThan(0.999);
  });

  it('finds in L2 what a plain LRU of the same size finds', async () => {
    const sizes = [0.05, 0.2, 0.5].map((share) => Math.round(share * reusable));
    const found = await replay(
      requests,
      sizes.map((hostTokens) => ({ ...OPTIONS, deviceTokens: longest, hostTokens })),
    );
    for (const [i, size] of sizes.entries()) {
      const [own, plain] = [found[i]!.host, plainLruHits(requests, size)];
      expect(Math.abs(own - plain) / reusable, `${size} tokens`).toBeLessThan(0.03);
    }
  });
});
