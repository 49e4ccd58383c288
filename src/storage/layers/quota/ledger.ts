/** What is known of one stored value. Another write of it makes another entry. */
export interface Entry {
  readonly bytes: number;
}

/**
 * What a store holds, as far as this process knows, with the values that are being written. The value that was not used
 * for the longest time comes first.
 */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** Writes of a key that have not ended: how many, and whether there was more than one at a time. */
  readonly #writing = new Map<string, { count: number; overlap: boolean }>();
  #storedBytes = 0;
  #reservedBytes = 0;
  #largest = 0;

  /** With what is being written. */
  get usedBytes(): number {
    return this.#storedBytes + this.#reservedBytes;
  }

  /** Of one value that was ever known. */
  get largest(): number {
    return this.#largest;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** From the one that was not used for the longest time to the one used last. What is used meanwhile comes again. */
  entries(): IterableIterator<[string, Entry]> {
    return this.#entries.entries();
  }

  isWriting(key: string): boolean {
    return this.#writing.has(key);
  }

  /** A value is about to be written; {@link written} or {@link notWritten} must follow. */
  reserve(key: string, bytes: number): void {
    this.#reservedBytes += bytes;
    const others = this.#writing.get(key)?.count ?? 0;
    this.#writing.set(key, { count: others + 1, overlap: others > 0 });
  }

  /**
   * It was stored, or, where that is not certain, it or what was there before. Of writes at the same time nobody knows
   * which one was the last: the longest counts.
   */
  written(key: string, bytes: number, isCertain: boolean): void {
    const { overlap } = this.#writing.get(key) ?? { overlap: false };
    const before = isCertain && !overlap ? 0 : (this.#entries.get(key)?.bytes ?? 0);
    this.#release(key, bytes);
    this.put(key, Math.max(before, bytes));
  }

  notWritten(key: string, bytes: number): void {
    this.#release(key, bytes);
  }

  /** A value of this length is there, and was used now. */
  put(key: string, bytes: number): void {
    this.#delete(key);
    this.#entries.set(key, { bytes });
    this.#storedBytes += bytes;
    this.#largest = Math.max(this.#largest, bytes);
  }

  /** A value that is there has another length than was known. */
  correct(key: string, bytes: number): void {
    const entry = this.#entries.get(key);
    if (!entry || entry.bytes === bytes) return;
    this.#storedBytes += bytes - entry.bytes;
    this.#entries.set(key, { bytes });
  }

  used(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
  }

  /**
   * A value is not there, as an answer says to a question that was asked when there was this entry of it. Where it was
   * written since, the answer says nothing.
   */
  gone(key: string, entry: Entry | undefined): void {
    if (entry && this.#entries.get(key) === entry) this.#delete(key);
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#storedBytes -= entry.bytes;
  }

  #release(key: string, bytes: number): void {
    this.#reservedBytes -= bytes;
    const writing = this.#writing.get(key);
    if (writing && --writing.count === 0) this.#writing.delete(key);
  }
}
