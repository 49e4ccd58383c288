/**
 * Which ranks hold which pages, as the ranks tell it. A page counts as held in whatever tier of its rank it is.
 *
 * One entry per page, not per page and rank: a set of ranks is an integer with one bit for each.
 */
export class PrefixIndex {
  readonly #holders = new Map<string, bigint>();

  /** Pages that any rank holds. */
  get pages(): number {
    return this.#holders.size;
  }

  stored(rank: number, keys: readonly string[]): void {
    const bit = bitOf(rank);
    for (const key of keys) this.#holders.set(key, (this.#holders.get(key) ?? 0n) | bit);
  }

  removed(rank: number, keys: readonly string[]): void {
    const bit = bitOf(rank);
    for (const key of keys) this.#remove(key, this.#holders.get(key) ?? 0n, bit);
  }

  /** The rank holds nothing any more: it was flushed, or it died. */
  cleared(rank: number): void {
    const bit = bitOf(rank);
    for (const [key, holders] of this.#holders) this.#remove(key, holders, bit);
  }

  /**
   * How many leading pages of a prompt each rank holds. Changes nothing.
   *
   * @param keys of the prompt's pages, from its first one on
   * @param ranks how many ranks there are
   */
  longest(keys: readonly string[], ranks: number): number[] {
    const pages = new Array<number>(ranks).fill(0);
    let holding = (1n << BigInt(ranks)) - 1n;
    for (let page = 0; page < keys.length && holding !== 0n; page++) {
      const still = holding & (this.#holders.get(keys[page]!) ?? 0n);
      if (still !== holding) note(pages, holding & ~still, page);
      holding = still;
    }
    note(pages, holding, keys.length);
    return pages;
  }

  #remove(key: string, holders: bigint, bit: bigint): void {
    if ((holders & bit) === 0n) return;
    if (holders === bit) this.#holders.delete(key);
    else this.#holders.set(key, holders & ~bit);
  }
}

function bitOf(rank: number): bigint {
  return 1n << BigInt(rank);
}

function note(pages: number[], ranks: bigint, held: number): void {
  if (ranks === 0n) return;
  for (let rank = 0; rank < pages.length; rank++) if ((ranks & bitOf(rank)) !== 0n) pages[rank] = held;
}
