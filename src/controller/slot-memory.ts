import type { PageMemory } from '../engine/engine.ts';
import { alignedMemory } from '../shared/aligned-memory.ts';

/** Making one ready holds up what begins meanwhile: for 6 to 16 ms where that was measured. */
const SLAB_BYTES = 1 << 24;
/**
 * A slot begins where a cache line does. The kernel copies files with an instruction that on some processors takes twice
 * as long when it does not.
 */
const LINE_BYTES = 64;

/** The memory behind the slots of a pool, in slabs of many slots: allocated as it is needed, or earlier while nothing runs. */
export class SlotMemory {
  readonly #pageBytes: number;
  #capacity: number;
  readonly #memory: PageMemory | undefined;
  readonly #slabs: ArrayBuffer[] = [];
  /** From the beginning of one slot to the next. */
  readonly #slotBytes: number;
  readonly #slotsPerSlab: number;
  #isResting = false;
  #isReadying = false;

  constructor(capacity: number, pageBytes: number, memory?: PageMemory) {
    this.#capacity = capacity;
    this.#pageBytes = pageBytes;
    this.#memory = memory;
    this.#slotBytes = Math.ceil(pageBytes / LINE_BYTES) * LINE_BYTES;
    this.#slotsPerSlab = Math.max(1, Math.floor(SLAB_BYTES / this.#slotBytes));
  }

  /** Slots in all. */
  get capacity(): number {
    return this.#capacity;
  }

  /**
   * Sees to it that the slots below `count` have memory. False when the system has none for all of them: then those that
   * have memory are all that there will be.
   */
  provide(count: number): boolean {
    while (this.#ready < count) {
      const slab = this.#memory?.allocate(this.#nextBytes) ?? alignedMemory(this.#nextBytes);
      if (!slab) {
        this.#capacity = this.#ready;
        return false;
      }
      this.#slabs.push(slab);
    }
    return true;
  }

  /** Whether nothing runs that could be held up. */
  rest(isResting: boolean): void {
    this.#isResting = isResting;
    if (isResting && this.#memory) void this.#readyMore(this.#memory);
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

  async #readyMore(memory: PageMemory): Promise<void> {
    if (this.#isReadying) return;
    this.#isReadying = true;
    const ahead = memory.aheadBytes / this.#slotBytes;
    while (this.#isResting && this.#ready < Math.min(this.#capacity, ahead)) {
      const slab = await memory.allocateAhead(this.#nextBytes);
      if (!slab) break;
      // What was asked for meanwhile has memory of its own, and the last slab can be smaller.
      if (slab.byteLength === this.#nextBytes) this.#slabs.push(slab);
    }
    this.#isReadying = false;
  }
}
