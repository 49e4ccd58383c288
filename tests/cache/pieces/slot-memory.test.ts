import { describe, expect, it } from 'vitest';
import { HostPool } from '../../../src/controller/host-pool.ts';
import type { PinnedMemory } from '../../../src/engine/engine.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Page-locked memory that is ready when the test says so, or that the system has no more of. */
class FakePinned implements PinnedMemory {
  /** Slabs of each way, in bytes. */
  readonly now: number[] = [];
  readonly ahead: number[] = [];
  exhausted = false;
  #end: (() => void) | undefined;

  allocate(bytes: number): ArrayBuffer | undefined {
    this.now.push(bytes);
    return this.exhausted ? undefined : memory(bytes);
  }

  async allocateAhead(bytes: number): Promise<ArrayBuffer | undefined> {
    this.ahead.push(bytes);
    await new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    return this.exhausted ? undefined : memory(bytes);
  }

  /** Ends what is under way, and all that is begun after it. */
  async endAll(): Promise<void> {
    while (this.#end) {
      const end = this.#end;
      this.#end = undefined;
      end();
      await new Promise(setImmediate);
    }
  }
}

/** Without memory of the system behind it until it is written to. */
function memory(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes, { maxByteLength: bytes });
}

function everySlotIsItsOwn(pool: HostPool, slots: Int32Array): void {
  for (const slot of slots) pool.page(slot)[0] = slot + 1;
  expect([...slots].map((slot) => pool.page(slot)[0])).toEqual([...slots].map((slot) => slot + 1));
}

describe('the memory of slots, page-locked', () => {
  it('is locked a slab at a time while nobody needs it', async () => {
    const pinned = new FakePinned();
    const pool = new HostPool(10, 8 * MIB, pinned);
    expect(pinned.ahead).toEqual([32 * MIB]);
    await pinned.endAll();
    expect(pinned.ahead).toEqual([32 * MIB, 32 * MIB, 16 * MIB]);
    everySlotIsItsOwn(pool, pool.take(10)!);
    expect(pinned.now).toEqual([]);
  });

  it('is locked at once where it is needed before it is ready', async () => {
    const pinned = new FakePinned();
    const pool = new HostPool(400, 8 * MIB, pinned);
    const slots = pool.take(9)!;
    expect(pinned.now).toEqual(Array(3).fill(32 * MIB));
    everySlotIsItsOwn(pool, slots);
    await pinned.endAll();
    everySlotIsItsOwn(pool, slots);
    everySlotIsItsOwn(pool, pool.take(120)!);
  });

  it('is never more than the pool has slots', async () => {
    const pinned = new FakePinned();
    const pool = new HostPool(10, 8 * MIB, pinned);
    const all = pool.take(10)!;
    expect(pinned.now).toEqual([32 * MIB, 32 * MIB, 16 * MIB]);
    await pinned.endAll();
    everySlotIsItsOwn(pool, all);
    pool.release(all);
    everySlotIsItsOwn(pool, pool.take(10)!);
    expect([pinned.now.length, pinned.ahead.length]).toEqual([3, 1]);
    expect(() => pool.page(10)).toThrow(RangeError);
  });

  it('is not locked where the system refuses that', async () => {
    const pinned = new FakePinned();
    pinned.exhausted = true;
    const pool = new HostPool(10, 8 * MIB, pinned);
    await pinned.endAll();
    expect(pinned.ahead).toHaveLength(1);
    everySlotIsItsOwn(pool, pool.take(10)!);
  });

  it('holds one page in a slab where pages are large', async () => {
    const pinned = new FakePinned();
    const pool = new HostPool(3, GIB / 4 + 1, pinned);
    await pinned.endAll();
    everySlotIsItsOwn(pool, pool.take(3)!);
    expect(pinned.ahead).toEqual(Array(3).fill(GIB / 4 + 64));
  });
});
