import type { PinnedMemory } from '../engine/engine.ts';
import { SlotMemory } from './slot-memory.ts';

/**
 * L2: host memory for pages, allocated once, in slots of one page. A slot is in use while somebody holds it: the
 * radix tree, and every transfer that reads or fills it. So a transfer that nobody waits for any more keeps its slot
 * from being used again until it has really ended.
 */
export class HostPool {
  /** Slots in all. */
  readonly capacity: number;
  readonly pageBytes: number;
  readonly #memory: SlotMemory;
  /** Holders of each slot. */
  readonly #holders: Uint16Array;
  readonly #free: Int32Array;
  #freeCount: number;

  /** @param pinned where memory comes from that the device copies to and from most quickly */
  constructor(capacity: number, pageBytes: number, pinned?: PinnedMemory) {
    this.capacity = capacity;
    this.pageBytes = pageBytes;
    this.#memory = new SlotMemory(capacity, pageBytes, pinned);
    this.#holders = new Uint16Array(capacity);
    // The lowest slots are given out first, so that memory which is never needed is never touched.
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
  }

  /** Slots that nobody holds. */
  get free(): number {
    return this.#freeCount;
  }

  /** Takes slots, all or none; the caller holds them. */
  take(count: number): Int32Array | undefined {
    if (count > this.#freeCount) return undefined;
    this.#freeCount -= count;
    const slots = this.#free.slice(this.#freeCount, this.#freeCount + count).reverse();
    let needed = 0;
    for (const slot of slots) {
      this.#holders[slot] = 1;
      needed = Math.max(needed, slot + 1);
    }
    this.#memory.provide(needed);
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
}
