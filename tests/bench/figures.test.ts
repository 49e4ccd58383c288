import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { figures, type Recorded } from '../../src/bench/records.ts';
import { distribution } from '../../src/bench/statistics.ts';

describe('a distribution', () => {
  it('has values that were measured', () => {
    const values = Array.from({ length: 200 }, (_, i) => 200 - i);
    expect(distribution(values)).toEqual({ mean: 100.5, p50: 100, p90: 180, p99: 198 });
    expect(distribution([7])).toEqual({ mean: 7, p50: 7, p90: 7, p99: 7 });
    expect(distribution([])).toBeNull();
  });

  it('has as many values at or below each percentile as it says', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 }), (values) => {
        const { p50, p90, p99 } = distribution(values)!;
        for (const [share, value] of [
          [0.5, p50],
          [0.9, p90],
          [0.99, p99],
        ] as const) {
          expect(values.filter((one) => one <= value).length).toBeGreaterThanOrEqual(share * values.length);
          expect(values.filter((one) => one < value).length).toBeLessThan(share * values.length);
        }
      }),
    );
  });
});

/** A request that was asked at a moment, with tokens at others. */
function answered(asked: number, arrivals: number[], more: Partial<Recorded['answered'][number]> = {}) {
  return {
    asked,
    arrivals,
    ended: arrivals.at(-1) ?? asked,
    gaps: arrivals.slice(1).map((at, i) => at - arrivals[i]!),
    promptTokens: 100,
    outputTokens: arrivals.length,
    askedTokens: arrivals.length,
    cached: 40,
    tiers: { device: 30, host: 10, storage: 0 },
    reusable: 50,
    ...more,
  };
}

const recorded = (requests: Recorded['answered'], more: Partial<Recorded> = {}): Recorded => {
  return { name: 'part', decoding: false, answered: requests, failed: [], ...more };
};

describe('the figures of a part', () => {
  it('are those of all its requests', () => {
    const part = recorded([answered(0, [100, 110, 130]), answered(500, [1900, 2000])]);
    expect(figures('part', [part])).toMatchObject({
      requests: 2,
      failed: 0,
      seconds: 2,
      promptTokens: 200,
      outputTokens: 5,
      promptTokensPerSecond: 100,
      outputTokensPerSecond: 2.5,
      ttft: { mean: 750, p50: 100, p99: 1400 },
      interToken: { p50: 20, p99: 100 },
      endToEnd: { p50: 130, p99: 1500 },
      computedTokens: 120,
      leastTokens: 100,
      reuse: 0.8,
      cachedByTier: { device: 60, host: 20, storage: 0 },
    });
  });

  it('of several rounds leave out the time between them', () => {
    const rounds = [recorded([answered(0, [1000])]), recorded([answered(50_000, [51_000])])];
    expect(figures('part', rounds)).toMatchObject({ requests: 2, seconds: 2, promptTokensPerSecond: 100 });
  });

  it('count what failed with its reasons, and in nothing else', () => {
    const part = recorded([answered(0, [1000])], { failed: ['status 500', 'no end', 'status 500'] });
    expect(figures('part', [part])).toMatchObject({
      requests: 4,
      failed: 3,
      failures: { 'status 500': 2, 'no end': 1 },
      promptTokens: 100,
      endToEnd: { mean: 1000 },
    });
  });

  it('say nothing of what a server does not tell', () => {
    const part = recorded([answered(0, [10]), answered(0, [10], { cached: undefined, tiers: undefined })]);
    expect(figures('part', [part])).toMatchObject({ computedTokens: null, reuse: null, cachedByTier: null });
    expect(figures('part', [recorded([])])).toMatchObject({
      requests: 0,
      seconds: 0,
      ttft: null,
      promptTokensPerSecond: null,
      computedTokens: null,
    });
  });

  it('have no share of reuse where nothing can be reused', () => {
    const part = recorded([answered(0, [10], { cached: 0, reusable: 0 })]);
    expect(figures('part', [part])).toMatchObject({ computedTokens: 100, leastTokens: 100, reuse: null });
  });

  it('count tokens from when all are decoding, where decoding is measured', () => {
    const part = recorded([answered(0, [100, 600, 1500]), answered(0, [500, 1000])], { decoding: true });
    // From 500 to 1000: at 600 and 1000.
    expect(figures('part', [part]).outputTokensPerSecond).toBe(4);
  });

  it('name answers that are too short', () => {
    const part = recorded([answered(0, [10]), answered(0, [10], { askedTokens: 5 })]);
    expect(figures('part', [part]).shortAnswers).toBe(1);
  });
});
