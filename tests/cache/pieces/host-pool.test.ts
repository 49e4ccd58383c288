import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostPool } from '../../../src/controller/host-pool.ts';
import type { PageMemory } from '../../../src/engine/engine.ts';

describe('the host pool', () => {
  it('gives out all or none, and no slot twice', () => {
    const pool = new HostPool(4, 8);
    const three = pool.take(3)!;
    expect(pool.take(2)).toBeUndefined();
    const one = pool.take(1)!;
    expect([...three, ...one].sort()).toEqual([0, 1, 2, 3]);
    expect(pool.free).toBe(0);
  });

  it('gives out the lowest slots first, so that memory that is not needed is not touched', () => {
    const pool = new HostPool(4, 8);
    expect([...pool.take(2)!]).toEqual([0, 1]);
  });

  it('frees a slot when its last holder lets go', () => {
    const pool = new HostPool(2, 8);
    const slots = pool.take(2)!;
    pool.hold(slots.subarray(0, 1));
    pool.release(slots);
    expect([pool.free, pool.holders(slots[0]!), pool.holders(slots[1]!)]).toEqual([1, 1, 0]);
    pool.release(slots.subarray(0, 1));
    expect(pool.free).toBe(2);
  });

  it('refuses to hold or release what nobody holds', () => {
    const pool = new HostPool(2, 8);
    expect(() => pool.hold(Int32Array.of(0))).toThrow('Nobody holds slot 0.');
    expect(() => pool.release(Int32Array.of(1))).toThrow('Nobody holds slot 1.');
    expect(() => pool.page(2)).toThrow(RangeError);
  });

  it('gives every slot memory of its own', () => {
    const pool = new HostPool(3, 8);
    for (const slot of pool.take(3)!) pool.page(slot).fill(slot + 1);
    expect([0, 1, 2].map((slot) => [...pool.page(slot)])).toEqual(
      [1, 2, 3].map((fill) => Array(8).fill(fill)),
    );
  });

  it('begins every slot at a multiple of 64 bytes', () => {
    const pool = new HostPool(3, 100);
    expect([...pool.take(3)!].map((slot) => pool.page(slot).byteOffset)).toEqual([0, 128, 256]);
    expect(pool.page(2)).toHaveLength(100);
  });

  it('spreads over several slabs where one would be too large', () => {
    const pool = new HostPool(5, 2 ** 29);
    const slots = pool.take(5)!;
    for (const slot of slots) pool.page(slot)[0] = slot + 1;
    expect([...slots].map((slot) => pool.page(slot)[0])).toEqual([1, 2, 3, 4, 5]);
    expect(new Set([...slots].map((slot) => pool.page(slot).buffer)).size).toBe(5);
  });

  it('is as large as what the system gives', () => {
    const pool = new HostPool(5, 2 ** 52);
    expect(pool.take(1)).toBeUndefined();
    expect([pool.capacity, pool.free]).toEqual([0, 0]);
    expect(pool.take(0)).toHaveLength(0);
  });

  it('goes on with the slots that have memory when there is no more', () => {
    let slabs = 2;
    const source: PageMemory = {
      aheadBytes: 0,
      allocate: () => (slabs-- > 0 ? new ArrayBuffer(8) : undefined),
      allocateAhead: async () => undefined,
    };
    // So large that there is none from elsewhere.
    const pool = new HostPool(5, 2 ** 52, source);
    const first = pool.take(1)!;
    expect(pool.take(2)).toBeUndefined();
    expect([pool.capacity, pool.free]).toEqual([2, 1]);
    pool.release(first);
    expect([...pool.take(2)!].sort()).toEqual([0, 1]);
    expect(pool.free).toBe(0);
  });

  it('counts like a naive one under any takes, holds and releases', () => {
    const step = fc.tuple(fc.constantFrom('take', 'hold', 'release'), fc.nat(7));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = new HostPool(8, 1);
        const held = new Map<number, number>();
        for (const [what, number] of steps) {
          if (what === 'take') {
            const slots = pool.take(number);
            expect(slots === undefined).toBe(number > 8 - held.size);
            for (const slot of slots ?? []) {
              expect(held.has(slot)).toBe(false);
              held.set(slot, 1);
            }
            continue;
          }
          const holders = held.get(number);
          if (holders === undefined) continue;
          if (what === 'hold') pool.hold(Int32Array.of(number));
          else pool.release(Int32Array.of(number));
          const left = holders + (what === 'hold' ? 1 : -1);
          if (left > 0) held.set(number, left);
          else held.delete(number);
          expect([pool.free, pool.holders(number)]).toEqual([8 - held.size, left]);
        }
      }),
    );
  });
});
