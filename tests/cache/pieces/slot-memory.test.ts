import { describe, expect, it } from 'vitest';
import { HostPool } from '../../../src/controller/host-pool.ts';
import type { PageMemory } from '../../../src/engine/engine.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Memory that is ready when the test says so, or that the system has no more of. */
class FakeMemory implements PageMemory {
  aheadBytes = Number.POSITIVE_INFINITY;
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

describe('the memory of slots', () => {
  it('is made ready a slab at a time while nothing runs', async () => {
    const source = new FakeMemory();
    const pool = new HostPool(10, 4 * MIB, source);
    expect(source.ahead).toEqual([]);
    pool.rest(true);
    expect(source.ahead).toEqual([16 * MIB]);
    await source.endAll();
    expect(source.ahead).toEqual([16 * MIB, 16 * MIB, 8 * MIB]);
    everySlotIsItsOwn(pool, pool.take(10)!);
    expect(source.now).toEqual([]);
  });

  it('is made ready no further than the source says', async () => {
    const source = new FakeMemory();
    source.aheadBytes = 20 * MIB;
    const pool = new HostPool(100, 4 * MIB, source);
    pool.rest(true);
    await source.endAll();
    expect(source.ahead).toHaveLength(2);
    everySlotIsItsOwn(pool, pool.take(20)!);
    pool.rest(true);
    expect([source.ahead.length, source.now.length]).toEqual([2, 3]);
  });

  it('is not made ready any more once something runs', async () => {
    const source = new FakeMemory();
    const pool = new HostPool(10, 4 * MIB, source);
    pool.rest(true);
    pool.rest(false);
    await source.endAll();
    expect(source.ahead).toHaveLength(1);
    everySlotIsItsOwn(pool, pool.take(4)!);
    expect(source.now).toEqual([]);
    pool.rest(true);
    pool.rest(false);
    pool.rest(true);
    await source.endAll();
    expect(source.ahead).toHaveLength(3);
  });

  it('is allocated at once where it is needed before it is ready', async () => {
    const source = new FakeMemory();
    const pool = new HostPool(400, 4 * MIB, source);
    pool.rest(true);
    const slots = pool.take(9)!;
    expect(source.now).toEqual(Array(3).fill(16 * MIB));
    everySlotIsItsOwn(pool, slots);
    await source.endAll();
    everySlotIsItsOwn(pool, slots);
    everySlotIsItsOwn(pool, pool.take(120)!);
  });

  it('is never more than the pool has slots', async () => {
    const source = new FakeMemory();
    const pool = new HostPool(10, 4 * MIB, source);
    pool.rest(true);
    const all = pool.take(10)!;
    expect(source.now).toEqual([16 * MIB, 16 * MIB, 8 * MIB]);
    await source.endAll();
    everySlotIsItsOwn(pool, all);
    pool.release(all);
    everySlotIsItsOwn(pool, pool.take(10)!);
    expect([source.now.length, source.ahead.length]).toEqual([3, 1]);
    expect(() => pool.page(10)).toThrow(RangeError);
  });

  it('is ordinary memory where the source has none', async () => {
    const source = new FakeMemory();
    source.exhausted = true;
    const pool = new HostPool(10, 4 * MIB, source);
    pool.rest(true);
    await source.endAll();
    expect(source.ahead).toHaveLength(1);
    everySlotIsItsOwn(pool, pool.take(10)!);
  });

  it('holds one page in a slab where pages are large', async () => {
    const source = new FakeMemory();
    const pool = new HostPool(3, GIB / 4 + 1, source);
    pool.rest(true);
    await source.endAll();
    everySlotIsItsOwn(pool, pool.take(3)!);
    expect(source.ahead).toEqual(Array(3).fill(GIB / 4 + 64));
  });
});
