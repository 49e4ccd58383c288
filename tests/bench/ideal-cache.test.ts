import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdealCache, reusable } from '../../src/bench/ideal-cache.ts';

/** Few different tokens, so that texts begin alike, branch, and are the beginning of others. */
const text = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 12 });

function commonLength(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((token, i) => token !== b[i]);
  return differs < 0 ? a.length : differs;
}

describe('the ideal cache', () => {
  it('knows of a text what it has in common with any text before', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 30 }), (texts) => {
        const cache = new IdealCache();
        for (const [i, tokens] of texts.entries()) {
          const before = texts.slice(0, i).map((other) => commonLength(tokens, other));
          expect(cache.known(tokens)).toBe(Math.max(0, ...before));
          cache.add(tokens);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('knows nothing before something was given to it', () => {
    expect(new IdealCache().known([1, 2])).toBe(0);
  });

  it('does not change what was given to it', () => {
    const cache = new IdealCache();
    const tokens = [1, 2, 3];
    cache.add(tokens);
    cache.add([1, 5]);
    expect(tokens).toEqual([1, 2, 3]);
    expect(cache.known([1, 2, 3, 4])).toBe(3);
    expect(cache.known([1, 5])).toBe(2);
  });

  it.each([
    [10, 10, 9],
    [9, 10, 9],
    [3, 10, 3],
    [0, 1, 0],
    [1, 1, 0],
  ])('of %d known tokens of %d a server can reuse %d: the last one is computed', (known, length, most) => {
    expect(reusable(known, length)).toBe(most);
  });
});
