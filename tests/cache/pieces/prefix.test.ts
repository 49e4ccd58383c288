import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Prefix } from '../../../src/cache/prefix.ts';
import { pageKeys } from '../../../src/shared/page-keys.ts';

const SEEDS = ['', 'ab'.repeat(32)];

interface Given {
  tokens: number[];
  /** Where the answer begins: what is behind it is appended. */
  answered: number;
  seed: string;
}

const given: fc.Arbitrary<Given> = fc.record({
  tokens: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 24 }),
  answered: fc.nat(24),
  seed: fc.constantFrom(...SEEDS),
});

function prefixOf({ tokens, answered, seed }: Given, pageSize: number): Prefix {
  const prefix = new Prefix(Int32Array.from(tokens.slice(0, Math.max(1, answered))), seed, pageSize);
  for (const token of tokens.slice(Math.max(1, answered))) {
    // Asked for in between, so that keys are made in portions.
    if (prefix.pages > 0) prefix.key(prefix.pages - 1);
    prefix.append(token);
  }
  return prefix;
}

describe('a prefix', () => {
  it('has the keys of its whole pages, however its tokens came', () => {
    fc.assert(
      fc.property(given, fc.integer({ min: 1, max: 5 }), (one, pageSize) => {
        const prefix = prefixOf(one, pageSize);
        expect([...prefix.tokens]).toEqual(one.tokens);
        expect(prefix.keys(0, prefix.pages)).toEqual(
          pageKeys(one.seed, Int32Array.from(one.tokens), pageSize),
        );
        expect(() => prefix.key(prefix.pages)).toThrow(RangeError);
      }),
    );
  });

  it('has as many pages and tokens in common with another one as a naive comparison finds', () => {
    fc.assert(
      fc.property(given, given, fc.integer({ min: 1, max: 5 }), (one, other, pageSize) => {
        const [a, b] = [prefixOf(one, pageSize), prefixOf(other, pageSize)];
        const most = Math.min(one.tokens.length, other.tokens.length);
        let same = 0;
        while (same < most && one.tokens[same] === other.tokens[same]) same++;
        if (one.seed !== other.seed) same = 0;
        expect(a.commonTokens(b)).toBe(same);
        expect(a.commonPages(b)).toBe(Math.floor(same / pageSize));
        expect(b.commonTokens(a)).toBe(same);
      }),
    );
  });

  it('does not write into the prompt that it was made of', () => {
    const prompt = Int32Array.from([1, 2, 3, 4]);
    const prefix = new Prefix(prompt.subarray(0, 2), '', 2);
    prefix.append(9);
    expect([...prompt]).toEqual([1, 2, 3, 4]);
    expect([...prefix.tokens]).toEqual([1, 2, 9]);
  });
});
