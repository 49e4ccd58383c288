/**
 * Which positions each sequence holds: always 0 to n-1, without holes. llama.cpp accepts holes, duplicates and
 * sequence ids out of range silently or by ending the process, so every batch passes here first.
 */
export class SequenceLedger {
  readonly #lengths: Int32Array;
  /** The next position of each sequence, counting the tokens of the batch being filled. */
  readonly #next: Int32Array;
  #used = 0;

  constructor(sequences: number) {
    this.#lengths = new Int32Array(sequences);
    this.#next = new Int32Array(sequences);
  }

  /** Positions that all sequences hold together. */
  get used(): number {
    return this.#used;
  }

  length(sequence: number): number {
    this.#check(sequence);
    return this.#lengths[sequence]!;
  }

  /** Notes one more position in the batch being filled. Throws when it is not the next one of its sequence. */
  extend(sequence: number, position: number): void {
    this.#check(sequence);
    const expected = this.#next[sequence]!;
    if (position !== expected) {
      throw new RangeError(`Sequence ${sequence} continues at position ${expected}, not at ${position}.`);
    }
    this.#next[sequence] = position + 1;
  }

  /** Positions of the batch being filled. */
  get pending(): number {
    return sum(this.#next) - sum(this.#lengths);
  }

  /** The batch was computed: its positions are held. */
  commit(): void {
    this.#used += this.pending;
    this.#lengths.set(this.#next);
  }

  /** The batch was not computed, or is filled anew: only what was held before counts. */
  rollback(): void {
    this.#next.set(this.#lengths);
  }

  truncate(sequence: number, length: number): void {
    this.assertHolds(sequence, length);
    this.#used -= this.#lengths[sequence]! - length;
    this.#lengths[sequence] = length;
    this.#next[sequence] = length;
  }

  /** Throws when the sequence does not hold its first `length` positions. */
  assertHolds(sequence: number, length: number): void {
    const held = this.length(sequence);
    if (!Number.isInteger(length) || length < 0 || length > held)
      throw new RangeError(`Sequence ${sequence} holds ${held} positions, not ${length}.`);
  }

  /** The sequences that the batch being filled extends. */
  *extended(): Generator<number> {
    for (let sequence = 0; sequence < this.#next.length; sequence++) {
      if (this.#next[sequence] !== this.#lengths[sequence]) yield sequence;
    }
  }

  #check(sequence: number): void {
    if (!Number.isInteger(sequence) || sequence < 0 || sequence >= this.#lengths.length) {
      throw new RangeError(`There is no sequence ${sequence} (0 to ${this.#lengths.length - 1}).`);
    }
  }
}

function sum(values: Int32Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
