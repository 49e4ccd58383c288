import type { PinnedMemory } from '../engine/engine.ts';

/** As large as one allocation comfortably is; the system backs its memory as it is first written. */
const SLAB_BYTES = 1 << 30;
/** While one is locked the device does nothing else: 13 ms where that was measured. */
const PINNED_SLAB_BYTES = 1 << 25;
/**
 * A slot begins where a cache line does. The kernel copies files with an instruction that on some processors takes twice
 * as long when it does not.
 */
const LINE_BYTES = 64;

/** The memory behind the slots of a pool, in slabs of many slots. */
export class SlotMemory {
  readonly #pageBytes: number;
  readonly #capacity: number;
  readonly #pinned: PinnedMemory | undefined;
  readonly #slabs: ArrayBuffer[] = [];
  /** From the beginning of one slot to the next. */
  readonly #slotBytes: number;
  readonly #slotsPerSlab: number;

  /**
   * @param pinned where it comes from: a slab at a time, while the server works already; when left out, all is allocated
   *   here
   */
  constructor(capacity: number, pageBytes: number, pinned?: PinnedMemory) {
    this.#capacity = capacity;
    this.#pageBytes = pageBytes;
    this.#pinned = pinned;
    this.#slotBytes = Math.ceil(pageBytes / LINE_BYTES) * LINE_BYTES;
    const slabBytes = pinned ? PINNED_SLAB_BYTES : SLAB_BYTES;
    this.#slotsPerSlab = Math.max(1, Math.floor(slabBytes / this.#slotBytes));
    if (pinned) void this.#lockAll(pinned);
    else this.provide(capacity);
  }

  /** Sees to it that the slots below `count` have memory. */
  provide(count: number): void {
    while (this.#ready < count) this.#add(this.#pinned?.allocate(this.#nextBytes));
  }

  /** The memory of one slot. */
  page(slot: number): Uint8Array<ArrayBuffer> {
    const slab = this.#slabs[Math.floor(slot / this.#slotsPerSlab)];
    if (!slab) throw new RangeError(`There is no slot ${slot}.`);
    return new Uint8Array(slab, (slot % this.#slotsPerSlab) * this.#slotBytes, this.#pageBytes);
  }

  /** Slots that have memory. */
  get #ready(): number {
    return Math.min(this.#capacity, this.#slabs.length * this.#slotsPerSlab);
  }

  get #nextBytes(): number {
    return Math.min(this.#capacity - this.#ready, this.#slotsPerSlab) * this.#slotBytes;
  }

  #add(slab: ArrayBuffer | undefined): void {
    const bytes = this.#nextBytes;
    // One that could grow is made of whole pages of the system; the memory of others begins in the middle of a line.
    this.#slabs.push(slab ?? new ArrayBuffer(bytes, { maxByteLength: bytes }));
  }

  async #lockAll(pinned: PinnedMemory): Promise<void> {
    while (this.#ready < this.#capacity) {
      const slab = await pinned.allocateAhead(this.#nextBytes);
      if (!slab) return;
      // What was asked for meanwhile has memory of its own, and the last slab can be smaller.
      if (slab.byteLength === this.#nextBytes) this.#add(slab);
    }
  }
}
