import type { HostPool } from '../controller/host-pool.ts';
import type { Engine, PageAccess } from '../engine/engine.ts';
import type { Node } from './node.ts';

/** What compaction needs of an engine. */
export type MovableCells = Pick<
  Engine,
  | 'limits'
  | 'cellsInUse'
  | 'scatteredCells'
  | 'sequenceLength'
  | 'sequenceCells'
  | 'sharePrefix'
  | 'truncateSequence'
>;

/** Of the cells in use, so many may be scattered before it is worth moving all. */
const SCATTERED_SHARE = 0.125;

/** A sequence that is taken out and put back. */
interface Move {
  sequence: number;
  length: number;
  /** Its whole pages, in L2. */
  pages: Uint8Array[];
  /** The page that ends where the sequence does, where that is behind the last whole page. */
  tail: Uint8Array | undefined;
  /** One that is put back before it and begins with the same cells: so many whole pages of them. */
  shared: { sequence: number; pages: number } | undefined;
}

/**
 * Keeps the cells of each sequence together. Answers that are generated at the same time take cells in turn, and what is
 * computed or loaded later fills the gaps that others leave. A CPU computes attention for blocks of 64 tokens by 64
 * cells and skips a block that is all of other sequences: with four sequences in turn there is none, and prompts take
 * twice as long.
 */
export class Compaction {
  readonly #cells: MovableCells;
  readonly #pages: PageAccess;
  readonly #pool: HostPool;
  readonly #tails: Uint8Array[] = [];
  /** What the engine had counted when it was last tidy. */
  #tidyAt = 0;

  constructor(cells: MovableCells, pages: PageAccess, pool: HostPool) {
    this.#cells = cells;
    this.#pages = pages;
    this.#pool = pool;
  }

  /** Whether enough came to lie among others to move all of it. */
  get isDue(): boolean {
    const scattered = this.#cells.scatteredCells - this.#tidyAt;
    return scattered >= Math.max(2 * this.#pages.tokens, this.#cells.cellsInUse * SCATTERED_SHARE);
  }

  /**
   * Takes all sequences out of their cells and puts one after the other back: whole pages from L2, which holds the same
   * bytes, and what is behind them from a copy. Where L2 lacks a page nothing changes. Sequences of less than a page stay
   * where they are.
   *
   * @param ways the deepest node of each sequence that holds cells
   * @throws when pages that were in order cannot be put back: the sequences are lost then
   */
  run(ways: ReadonlyMap<number, Node>): void {
    this.#tidyAt = this.#cells.scatteredCells;
    const moves = this.#plan(ways);
    // Alone nothing is among others.
    if (!moves || moves.length < 2 || !this.#fits(moves, ways)) return;
    for (const { sequence, length, tail } of moves)
      if (tail) this.#pages.save(sequence, length - this.#pages.tokens, [tail]);
    for (const { sequence } of moves) this.#cells.truncateSequence(sequence, 0);
    for (const move of moves) this.#putBack(move);
    this.#tidyAt = this.#cells.scatteredCells;
  }

  #plan(ways: ReadonlyMap<number, Node>): Move[] | undefined {
    const moves: Move[] = [];
    const { tokens: pageSize } = this.#pages;
    for (const [sequence, node] of ways) {
      const length = this.#cells.sequenceLength(sequence);
      if (length < pageSize) continue;
      const pages = this.#pagesOf(node, Math.floor(length / pageSize));
      if (!pages) return undefined;
      const tail = length % pageSize > 0 ? this.#tailBuffer(moves.length) : undefined;
      moves.push({ sequence, length, pages, tail, shared: this.#sharedWith(sequence, moves) });
    }
    return moves;
  }

  /** The first pages of a way in L2; undefined where it does not hold all of them. */
  #pagesOf(node: Node, count: number): Uint8Array[] | undefined {
    const way: Node[] = [];
    for (let at: Node | undefined = node; at?.parent; at = at.parent) if (!at.isTail) way.unshift(at);
    const pages: Uint8Array[] = [];
    for (const { slots, start } of way) {
      if (pages.length * this.#pages.tokens !== start) return undefined;
      for (const slot of slots ?? []) {
        if (pages.length === count) break;
        pages.push(this.#pool.page(slot));
      }
    }
    const right =
      pages.length === count && pages.every((page, i) => this.#pages.accepts(page, i * this.#pages.tokens));
    return right ? pages : undefined;
  }

  #sharedWith(sequence: number, moves: readonly Move[]): Move['shared'] {
    const cells = this.#cells.sequenceCells(sequence);
    let best: Move['shared'];
    for (const other of moves) {
      const others = this.#cells.sequenceCells(other.sequence);
      const most = Math.min(cells.length, others.length);
      let same = 0;
      while (same < most && cells[same] === others[same]) same++;
      const pages = Math.floor(same / this.#pages.tokens);
      if (pages > (best?.pages ?? 0)) best = { sequence: other.sequence, pages };
    }
    return best;
  }

  /** Whether all fit beside what stays, and the page beside them of which a part is put back last. */
  #fits(moves: readonly Move[], ways: ReadonlyMap<number, Node>): boolean {
    const { tokens: pageSize } = this.#pages;
    const moved = new Set(moves.map(({ sequence }) => sequence));
    let needed = pageSize;
    for (const { length, shared } of moves) needed += length - (shared?.pages ?? 0) * pageSize;
    for (const sequence of ways.keys())
      if (!moved.has(sequence)) needed += this.#cells.sequenceLength(sequence);
    return needed <= this.#cells.limits.cells;
  }

  #putBack({ sequence, length, pages, tail, shared }: Move): void {
    const { tokens: pageSize } = this.#pages;
    const sharedPages = shared?.pages ?? 0;
    if (shared) this.#cells.sharePrefix(shared.sequence, sequence, sharedPages * pageSize);
    const whole = this.#pages.restore(sequence, sharedPages * pageSize, pages.slice(sharedPages));
    const from = pages.length * pageSize;
    const part = tail ? this.#pages.restorePart(sequence, from, length, tail, length - pageSize) : 'done';
    if (whole !== 'done' || part !== 'done')
      throw new Error(`The pages of sequence ${sequence} could not be put back: ${whole}, ${part}.`);
  }

  /** Reused: one per sequence and no more than ever were needed at once. */
  #tailBuffer(index: number): Uint8Array {
    this.#tails[index] ??= new Uint8Array(this.#pages.bytes);
    return this.#tails[index];
  }
}
