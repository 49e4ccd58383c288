/** How many sequences hold each cell. Numbers of free cells are used again; there is no upper limit. */
export class CellCounts {
  #holders = new Uint16Array(256);
  /** Numbers that were used and are free, as a stack. */
  #free = new Int32Array(256);
  #freeCount = 0;
  /** Numbers that were ever used: 0 to n-1. */
  #known = 0;

  /** Cells that somebody holds. */
  get used(): number {
    return this.#known - this.#freeCount;
  }

  /** A free cell, held once from now on. */
  take(): number {
    const cell = this.#freeCount > 0 ? this.#free[--this.#freeCount]! : this.#another();
    this.#holders[cell] = 1;
    return cell;
  }

  hold(cell: number): void {
    this.#holders[cell]!++;
  }

  release(cell: number): void {
    if (--this.#holders[cell]! === 0) this.#free[this.#freeCount++] = cell;
  }

  #another(): number {
    if (this.#known === this.#holders.length) {
      const [holders, free] = [this.#holders, this.#free];
      this.#holders = new Uint16Array(2 * holders.length);
      this.#holders.set(holders);
      this.#free = new Int32Array(2 * free.length);
      this.#free.set(free);
    }
    return this.#known++;
  }
}
