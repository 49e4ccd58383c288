import { describe, expect, it } from 'vitest';
import { poissonArrivals } from '../../src/bench/arrivals.ts';
import { atMost } from '../../src/bench/at-most.ts';
import { highestRate } from '../../src/bench/workloads/openloop.ts';
import { random } from '../../src/models/random.ts';

describe('Poisson arrivals', () => {
  const arrivals = poissonArrivals(random('arrivals'), 5, 20_000);
  const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i]!);

  it('begin at once and never go back', () => {
    expect(arrivals).toHaveLength(20_000);
    expect(arrivals[0]).toBe(0);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });

  it('come at their rate, and as irregularly as an exponential distribution says', () => {
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    expect(mean / 200).toBeCloseTo(1, 1);
    expect(Math.sqrt(variance) / mean).toBeCloseTo(1, 1);
    // Half of them wait for less than ln 2 of the mean.
    expect(gaps.filter((gap) => gap < 200 * Math.LN2).length / gaps.length).toBeCloseTo(0.5, 1);
  });

  it('are the same for the same seed', () => {
    expect(poissonArrivals(random('arrivals'), 5, 10)).toEqual(arrivals.slice(0, 10));
    expect(poissonArrivals(random('others'), 5, 10)).not.toEqual(arrivals.slice(0, 10));
  });
});

describe('the search for the highest rate', () => {
  it.each([0.03, 0.9, 1, 7.3, 400])('finds %d to within a tenth, from 1 on', async (limit) => {
    const tried: number[] = [];
    const found = await highestRate(1, async (rate) => {
      tried.push(rate);
      return rate <= limit;
    });
    expect(found).toBeLessThanOrEqual(limit);
    expect(found * 1.1).toBeGreaterThanOrEqual(limit);
    expect(tried.length).toBeLessThan(20);
    expect(new Set(tried).size).toBe(tried.length);
  });

  it('ends where no rate holds, and where every one does', async () => {
    expect(await highestRate(1, async () => false)).toBe(0);
    expect(await highestRate(1, async () => true)).toBeGreaterThan(1000);
  });
});

describe('so many at a time', () => {
  it('never does more, and does all in order', async () => {
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    const results = await atMost(3, [5, 6, 7, 8, 9, 10, 11], async (item, i) => {
      begun.push(i);
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return item * 2;
    });
    expect(results).toEqual([10, 12, 14, 16, 18, 20, 22]);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(most).toBe(3);
  });
});
