/** Slabs are as large as one allocation comfortably is; the system backs their memory as it is first written. */
const SLAB_BYTES = 1 << 30;
/**
 * A slot begins where a cache line does. The kernel copies files with an instruction that on some processors takes twice
 * as long when it does not.
 */
const LINE_BYTES = 64;

/**
 * L2: host memory for pages, allocated once, in slots of one page. A slot is in use while somebody holds it: the
 * radix tree, and every transfer that reads or fills it. So a transfer that nobody waits for any more keeps its slot
 * from being used again until it has really ended.
 */
export class HostPool {
  /** Slots in all. */
  readonly capacity: number;
  readonly pageBytes: number;
  readonly #slabs: ArrayBuffer[] = [];
  /** From the beginning of one slot to the next. */
  readonly #slotBytes: number;
  readonly #slotsPerSlab: number;
  /** Holders of each slot. */
  readonly #holders: Uint16Array;
  readonly #free: Int32Array;
  #freeCount: number;

  constructor(capacity: number, pageBytes: number) {
    this.capacity = capacity;
    this.pageBytes = pageBytes;
    this.#slotBytes = Math.ceil(pageBytes / LINE_BYTES) * LINE_BYTES;
    this.#slotsPerSlab = Math.max(1, Math.floor(SLAB_BYTES / this.#slotBytes));
    for (let left = capacity; left > 0; left -= this.#slotsPerSlab) {
      const bytes = Math.min(left, this.#slotsPerSlab) * this.#slotBytes;
      // One that could grow is made of whole pages of the system; the memory of others begins in the middle of a line.
      this.#slabs.push(new ArrayBuffer(bytes, { maxByteLength: bytes }));
    }
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
    const slab = this.#slabs[Math.floor(slot / this.#slotsPerSlab)];
    if (!slab) throw new RangeError(`There is no slot ${slot}.`);
    return new Uint8Array(slab, (slot % this.#slotsPerSlab) * this.#slotBytes, this.pageBytes);
  }
}
