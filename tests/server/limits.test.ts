import { describe, expect, it } from 'vitest';
import { batchTokens, deriveLimits, type Machine, type RequestedLimits } from '../../src/server/limits.ts';

const GIB = 2 ** 30;
const MACHINE: Machine = { totalMemory: 16 * GIB, freeMemory: 8 * GIB, cores: 8, ranks: 1, gpu: false };
/** 128 KiB a token at f16. */
const MODEL = { trainedContext: 131_072, kvValuesPerToken: 32_768 };

function derive(asked: Partial<RequestedLimits> = {}, machine: Partial<Machine> = {}, model = MODEL) {
  const cache = { hierarchical: true, hostRatio: undefined, hostBytes: undefined, keepOnDevice: undefined };
  return deriveLimits({ cache, ...asked } as RequestedLimits, model, 'f16', { ...MACHINE, ...machine });
}

describe('limits', () => {
  it('fit into a share of the free memory', () => {
    const limits = derive();
    expect(limits).toMatchObject({ contextLength: 16_384, maxTotalTokens: 16_384, kvBytes: 2 * GIB });
    expect(derive({}, { ranks: 2 }).kvBytes).toBe(GIB);
    expect(derive({}, { freeMemory: 0 })).toMatchObject({ contextLength: 256, maxTotalTokens: 256 });
  });

  it('hold two full contexts where memory allows', () => {
    const limits = derive({}, { freeMemory: 1024 * GIB, totalMemory: 1024 * GIB });
    expect(limits).toMatchObject({ contextLength: 32_768, maxTotalTokens: 65_536 });
    expect(derive({ contextLength: 1000 })).toMatchObject({ contextLength: 1000, maxTotalTokens: 2048 });
  });

  it.each([100, 1000, 1024, 5000])('take --max-total-tokens %d for the longest context', (maxTotalTokens) => {
    const limits = derive({ maxTotalTokens });
    expect(limits.contextLength).toBe(maxTotalTokens);
    expect(limits.maxTotalTokens % 256).toBe(0);
    expect(limits.maxTotalTokens).toBeGreaterThanOrEqual(maxTotalTokens);
  });

  it('never plan a step with more tokens than there are cells', () => {
    const limits = derive({
      maxTotalTokens: 1024,
      chunkedPrefillSize: 2 ** 31 - 1,
      maxPrefillTokens: 2 ** 31 - 1,
    });
    expect(batchTokens(limits)).toBeLessThanOrEqual(1024 + limits.maxRunningRequests);
  });

  it('give prompts larger steps on a GPU while nothing decodes', () => {
    const steps = (gpu: boolean) => {
      const { chunkedPrefillSize, maxPrefillTokens, mixedChunk } = derive({}, { gpu });
      return { chunkedPrefillSize, maxPrefillTokens, mixedChunk };
    };
    expect(steps(true)).toEqual({ chunkedPrefillSize: 512, maxPrefillTokens: 2048, mixedChunk: true });
    expect(steps(false)).toEqual({ chunkedPrefillSize: 256, maxPrefillTokens: 512, mixedChunk: false });
    expect(derive({ maxTotalTokens: 1024 }, { gpu: true }).maxPrefillTokens).toBe(1024);
  });

  it('leave cores for other ranks', () => {
    expect(derive().threads).toBe(4);
    expect(derive({}, { ranks: 4 }).threads).toBe(1);
    expect(derive({ threads: 3 }).threads).toBe(3);
  });

  it.each([
    [{ contextLength: 2000, maxTotalTokens: 1000 }, '--context-length 2000'],
    [{ maxRunningRequests: 193 }, '--max-running-requests'],
    [{ contextLength: 1_000_000 }, 'not enough memory'],
    [{ maxTotalTokens: 2 ** 31 - 1 }, 'not enough memory'],
  ])('refuse %j', (asked, problem) => {
    expect(() => derive(asked)).toThrow(problem);
  });

  it('leave it to the library what a GPU holds', () => {
    expect(derive({ contextLength: 1_000_000 }, { gpu: true }).contextLength).toBe(1_000_000);
  });
});
