import { CellCounts } from './cell-counts.ts';

/**
 * Which positions each sequence holds, and in which cells: always positions 0 to n-1, without holes. llama.cpp accepts
 * holes, duplicates and sequence ids out of range silently or by ending the process, so every batch passes here first.
 *
 * Sequences share cells. A cell's number says which positions are the same one, nothing more: the library numbers
 * its cells in its own way.
 */
export class SequenceLedger {
  readonly #lengths: Int32Array;
  /** The next position of each sequence, counting the tokens of the batch being filled. */
  readonly #next: Int32Array;
  /** The cells of each sequence's positions; longer than what it holds, so that it seldom grows. */
  readonly #cells: Int32Array[];
  readonly #counts = new CellCounts();
  /** The sequences that the batch being filled extends, or did extend before they were cut. */
  readonly #touched: Int32Array;
  #touchedCount = 0;
  #pending = 0;

  constructor(sequences: number) {
    this.#lengths = new Int32Array(sequences);
    this.#next = new Int32Array(sequences);
    this.#touched = new Int32Array(sequences);
    this.#cells = Array.from({ length: sequences }, () => new Int32Array(0));
  }

  /** Cells that sequences hold; a shared one counts once. */
  get used(): number {
    return this.#counts.used;
  }

  /** Positions of the batch being filled. */
  get pending(): number {
    return this.#pending;
  }

  length(sequence: number): number {
    this.#check(sequence);
    return this.#lengths[sequence]!;
  }

  /** The cells of a sequence's positions, until it changes. */
  cells(sequence: number): Int32Array {
    const length = this.length(sequence);
    return this.#cells[sequence]!.subarray(0, length);
  }

  /** Notes one more position in the batch being filled. Throws when it is not the next one of its sequence. */
  extend(sequence: number, position: number): void {
    this.#check(sequence);
    const expected = this.#next[sequence]!;
    if (position !== expected) {
      throw new RangeError(`Sequence ${sequence} continues at position ${expected}, not at ${position}.`);
    }
    if (expected === this.#lengths[sequence]) this.#touch(sequence);
    this.#next[sequence] = position + 1;
    this.#pending++;
  }

  /** The batch was computed: its positions are held. */
  commit(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const sequence = this.#touched[i]!;
      this.#hold(sequence, this.#next[sequence]!);
    }
    this.#touchedCount = 0;
    this.#pending = 0;
  }

  /** The batch was not computed, or is filled anew: only what was held before counts. */
  rollback(): void {
    for (let i = 0; i < this.#touchedCount; i++) {
      const sequence = this.#touched[i]!;
      this.#next[sequence] = this.#lengths[sequence]!;
    }
    this.#touchedCount = 0;
    this.#pending = 0;
  }

  /** The sequences that the batch being filled extends. */
  extended(): number[] {
    const touched = Array.from(this.#touched.subarray(0, this.#touchedCount));
    return touched.filter((sequence) => this.#next[sequence] !== this.#lengths[sequence]);
  }

  truncate(sequence: number, length: number): void {
    this.assertHolds(sequence, length);
    this.#forgetPending(sequence);
    const cells = this.#cells[sequence]!;
    const held = this.#lengths[sequence]!;
    for (let position = length; position < held; position++) this.#counts.release(cells[position]!);
    this.#lengths[sequence] = length;
    this.#next[sequence] = length;
  }

  /** Positions that a sequence holds without having computed them: `count` new cells at its end. */
  append(sequence: number, count: number): void {
    this.#check(sequence);
    this.#forgetPending(sequence);
    this.#hold(sequence, this.#lengths[sequence]! + count);
    this.#next[sequence] = this.#lengths[sequence]!;
  }

  /** Makes the first `length` positions of `target` the cells of `source`; those after them stay. */
  share(source: number, target: number, length: number): void {
    const from = this.common(source, target, length);
    this.#forgetPending(target);
    const given = this.#cells[source]!;
    const cells = this.#reserve(target, length);
    const held = this.#lengths[target]!;
    for (let position = from; position < length; position++) {
      // Held before released: the other way round, a cell that both have would be free for a moment.
      this.#counts.hold(given[position]!);
      if (position < held) this.#counts.release(cells[position]!);
      cells[position] = given[position]!;
    }
    this.#lengths[target] = Math.max(held, length);
    this.#next[target] = this.#lengths[target]!;
  }

  /**
   * How many of the first `length` positions are the same cells in both already.
   * Throws when `source` holds less than `length`, or the two are one sequence.
   */
  common(source: number, target: number, length: number): number {
    this.assertHolds(source, length);
    this.#check(target);
    if (source === target) throw new RangeError(`Sequence ${source} cannot share cells with itself.`);
    const [one, other] = [this.#cells[source]!, this.#cells[target]!];
    const end = Math.min(length, this.#lengths[target]!);
    let position = 0;
    while (position < end && one[position] === other[position]) position++;
    return position;
  }

  /** Throws when the sequence does not hold its first `length` positions. */
  assertHolds(sequence: number, length: number): void {
    const held = this.length(sequence);
    if (!Number.isInteger(length) || length < 0 || length > held)
      throw new RangeError(`Sequence ${sequence} holds ${held} positions, not ${length}.`);
  }

  /** Gives a sequence new cells until it holds `length` positions. */
  #hold(sequence: number, length: number): void {
    const cells = this.#reserve(sequence, length);
    for (let position = this.#lengths[sequence]!; position < length; position++) {
      cells[position] = this.#counts.take();
    }
    this.#lengths[sequence] = length;
  }

  #reserve(sequence: number, length: number): Int32Array {
    const cells = this.#cells[sequence]!;
    if (cells.length >= length) return cells;
    const grown = new Int32Array(Math.max(length, 2 * cells.length, 64));
    grown.set(cells);
    this.#cells[sequence] = grown;
    return grown;
  }

  /** Takes a sequence's tokens out of the count; the batch that still has them is an old one now. */
  #forgetPending(sequence: number): void {
    this.#pending -= this.#next[sequence]! - this.#lengths[sequence]!;
    this.#next[sequence] = this.#lengths[sequence]!;
  }

  #touch(sequence: number): void {
    // One that was cut while the batch was filled is in the list already.
    for (let i = 0; i < this.#touchedCount; i++) if (this.#touched[i] === sequence) return;
    this.#touched[this.#touchedCount++] = sequence;
  }

  #check(sequence: number): void {
    if (!Number.isInteger(sequence) || sequence < 0 || sequence >= this.#lengths.length) {
      throw new RangeError(`There is no sequence ${sequence} (0 to ${this.#lengths.length - 1}).`);
    }
  }
}
