import type { PageMemory } from '../engine/engine.ts';
import { SlotMemory } from './slot-memory.ts';

/**
 * L2: host memory for pages, in slots of one page. A slot is in use while somebody holds it: the radix tree, and every
 * transfer that reads or fills it. So a transfer that nobody waits for any more keeps its slot from being used again
 * until it has really ended.
 */
export class HostPool {
  readonly pageBytes: number;
  readonly #memory: SlotMemory;
  /** Holders of each slot. */
  readonly #holders: Uint16Array;
  readonly #free: Int32Array;
  #freeCount: number;

  /** @param memory where it comes from; ordinary memory when left out */
  constructor(capacity: number, pageBytes: number, memory?: PageMemory) {
    this.pageBytes = pageBytes;
    this.#memory = new SlotMemory(capacity, pageBytes, memory);
    this.#holders = new Uint16Array(capacity);
    // The lowest slots are given out first, so that memory which is never needed is never touched.
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
  }

  /** Slots in all. */
  get capacity(): number {
    return this.#memory.capacity;
  }

  /** Slots that nobody holds. */
  get free(): number {
    return this.#freeCount;
  }

  /** Whether the device computes nothing now: meanwhile memory is made ready for what comes. */
  rest(isResting: boolean): void {
    this.#memory.rest(isResting);
  }

  /** Takes slots, all or none; the caller holds them. */
  take(count: number): Int32Array | undefined {
    if (count > this.#freeCount) return undefined;
    const slots = this.#free.slice(this.#freeCount - count, this.#freeCount).reverse();
    if (!this.#memory.provide(slots.reduce((most, slot) => Math.max(most, slot + 1), 0))) {
      this.#keepWhatHasMemory();
      return this.take(count);
    }
    this.#freeCount -= count;
    for (const slot of slots) this.#holders[slot] = 1;
    return slots;
  }

  /** Holds slots that somebody holds already once more. */
  hold(slots: Int32Array): void {
    for (const slot of slots) {
      if (this.#holders[slot] === 0) throw new RangeError(`Nobody holds slot ${slot}.`);
      this.#holders[slot]!++;
    }
  }

  /** Ends one hold of each slot. */
  release(slots: Int32Array): void {
    for (const slot of slots) {
      if (this.#holders[slot] === 0) throw new RangeError(`Nobody holds slot ${slot}.`);
      if (--this.#holders[slot]! === 0) this.#free[this.#freeCount++] = slot;
    }
  }

  /** How many hold a slot. */
  holders(slot: number): number {
    return this.#holders[slot]!;
  }

  /** The memory of one slot: for who holds it, as long as it is held. */
  page(slot: number): Uint8Array<ArrayBuffer> {
    return this.#memory.page(slot);
  }

  /** The system has no more: the pool is as large as what it gave. */
  #keepWhatHasMemory(): void {
    const free = this.#free.subarray(0, this.#freeCount).filter((slot) => slot < this.capacity);
    this.#free.set(free);
    this.#freeCount = free.length;
  }
}
