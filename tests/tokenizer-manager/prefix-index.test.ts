import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixIndex } from '../../src/tokenizer-manager/prefix-index.ts';

describe('the prefix index', () => {
  it('tells how many leading pages each rank holds', () => {
    const index = new PrefixIndex();
    index.stored(0, ['a', 'b', 'c']);
    index.stored(1, ['a', 'b']);
    index.stored(2, ['b', 'c']);
    expect(index.longest(['a', 'b', 'c', 'd'], 4)).toEqual([3, 2, 0, 0]);
    expect(index.longest(['a', 'x', 'c'], 4)).toEqual([1, 1, 0, 0]);
    expect(index.longest([], 4)).toEqual([0, 0, 0, 0]);
  });

  it('forgets pages that a rank dropped, and keeps them for the others', () => {
    const index = new PrefixIndex();
    for (const rank of [0, 1]) index.stored(rank, ['a', 'b', 'c']);
    index.removed(0, ['b']);
    index.removed(0, ['never stored']);
    expect(index.longest(['a', 'b', 'c'], 2)).toEqual([1, 3]);
    index.stored(0, ['b']);
    expect(index.longest(['a', 'b', 'c'], 2)).toEqual([3, 3]);
  });

  it('forgets all pages of a rank that was cleared', () => {
    const index = new PrefixIndex();
    index.stored(0, ['a', 'b']);
    index.stored(63, ['b', 'c']);
    index.cleared(0);
    expect(index.longest(['b', 'c'], 64)[63]).toBe(2);
    expect(index.longest(['a'], 64)[0]).toBe(0);
    expect(index.pages).toBe(2);
    index.cleared(63);
    expect(index.pages).toBe(0);
  });

  it('tells 64 ranks apart', () => {
    const index = new PrefixIndex();
    const keys = Array.from({ length: 64 }, (_, i) => `page ${i}`);
    for (let rank = 0; rank < 64; rank++) index.stored(rank, keys.slice(0, rank));
    expect(index.longest(keys, 64)).toEqual(keys.map((_, rank) => rank));
    index.removed(63, ['page 31']);
    index.removed(31, ['page 0']);
    const held = index.longest(keys, 64);
    expect([held[31], held[32], held[62], held[63]]).toEqual([0, 32, 62, 31]);
  });

  it('is under any events what a list of keys for each rank would be', () => {
    const rank = fc.constantFrom(0, 1, 31, 32, 52, 53, 63);
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 6 });
    const event = fc.oneof(
      fc.record({ type: fc.constant('stored'), rank, keys }),
      fc.record({ type: fc.constant('removed'), rank, keys }),
      fc.record({ type: fc.constant('cleared'), rank, keys: fc.constant([]) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.array(keys, { maxLength: 5 }), (events, prompts) => {
        const index = new PrefixIndex();
        const model = Array.from({ length: 64 }, () => new Set<string>());
        for (const { type, rank, keys } of events) {
          const held = model[rank]!;
          if (type === 'stored') {
            index.stored(rank, keys);
            for (const key of keys) held.add(key);
          } else if (type === 'removed') {
            index.removed(rank, keys);
            for (const key of keys) held.delete(key);
          } else {
            index.cleared(rank);
            held.clear();
          }
        }
        for (const prompt of prompts) {
          const expected = model.map((held) => {
            const missing = prompt.findIndex((key) => !held.has(key));
            return missing < 0 ? prompt.length : missing;
          });
          expect(index.longest(prompt, 64)).toEqual(expected);
        }
        expect(index.pages).toBe(new Set(model.flatMap((held) => [...held])).size);
      }),
    );
  });
});
