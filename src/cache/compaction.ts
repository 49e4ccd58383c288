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
/** Memory for copies of what L2 does not hold. */
const COPIED_BYTES = 64 << 20;

/** A sequence that is taken out and put back. */
interface Move {
  sequence: number;
  length: number;
  /** One that is put back before it and begins with the same cells: so many whole pages of them. */
  shared: { sequence: number; pages: number } | undefined;
  /** Its whole pages behind those. */
  pages: Uint8Array[];
  /** Which of them, and of the tail, have to be copied first: where they begin. */
  copied: { start: number; into: Uint8Array }[];
  /** The page that ends where the sequence does, where that is behind the last whole page. */
  tail: Uint8Array | undefined;
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
  readonly #pool: HostPool | undefined;
  /** Reused: no more than ever were needed at once. */
  readonly #copies: Uint8Array[] = [];
  readonly #mostCopies: number;
  #copiesTaken = 0;
  /** What the engine had counted when it was last tidy. */
  #tidyAt = 0;

  constructor(
    cells: MovableCells,
    pages: PageAccess,
    pool: HostPool | undefined,
    copiedBytes = COPIED_BYTES,
  ) {
    this.#cells = cells;
    this.#pages = pages;
    this.#pool = pool;
    this.#mostCopies = Math.floor(copiedBytes / pages.bytes);
  }

  /** Whether enough came to lie among others to move all of it. */
  get isDue(): boolean {
    const scattered = this.#cells.scatteredCells - this.#tidyAt;
    return scattered >= Math.max(2 * this.#pages.tokens, this.#cells.cellsInUse * SCATTERED_SHARE);
  }

  /**
   * Takes all sequences out of their cells and puts one after the other back: pages that L2 holds, which are the same
   * bytes, from there, and others from copies. Where these would be too many nothing changes. Sequences of less than a
   * page stay where they are.
   *
   * @param ways the deepest node of each sequence that holds cells
   * @throws when pages that were in order cannot be put back: the sequences are lost then
   */
  run(ways: ReadonlyMap<number, Node>): void {
    this.#tidyAt = this.#cells.scatteredCells;
    const moves = this.#plan(ways);
    // Alone nothing is among others.
    if (!moves || moves.length < 2 || !this.#fits(moves, ways)) return;
    for (const { sequence, copied } of moves)
      for (const { start, into } of copied) this.#pages.save(sequence, start, [into]);
    for (const { sequence } of moves) this.#cells.truncateSequence(sequence, 0);
    for (const move of moves) this.#putBack(move);
    this.#tidyAt = this.#cells.scatteredCells;
  }

  #plan(ways: ReadonlyMap<number, Node>): Move[] | undefined {
    this.#copiesTaken = 0;
    const moves: Move[] = [];
    const { tokens: pageSize } = this.#pages;
    for (const [sequence, node] of ways) {
      const length = this.#cells.sequenceLength(sequence);
      if (length < pageSize) continue;
      const move: Move = { sequence, length, shared: undefined, pages: [], copied: [], tail: undefined };
      move.shared = this.#sharedWith(sequence, moves);
      const stored = this.#storedPages(node);
      for (let page = move.shared?.pages ?? 0; page < Math.floor(length / pageSize); page++) {
        const bytes = stored[page] ?? this.#copy(move, page * pageSize);
        if (!bytes) return undefined;
        move.pages.push(bytes);
      }
      if (length % pageSize > 0) {
        move.tail = this.#copy(move, length - pageSize);
        if (!move.tail) return undefined;
      }
      moves.push(move);
    }
    return moves;
  }

  /** The pages of a way that are in L2, by their number. */
  #storedPages(node: Node): Uint8Array[] {
    const pages: Uint8Array[] = [];
    for (let at: Node | undefined = node; at?.parent; at = at.parent) {
      if (at.isTail) continue;
      const first = at.start / this.#pages.tokens;
      for (const [i, slot] of (at.slots ?? []).entries()) {
        const page = this.#pool?.page(slot);
        if (page && this.#pages.accepts(page, (first + i) * this.#pages.tokens)) pages[first + i] = page;
      }
    }
    return pages;
  }

  /** A buffer for a page of a sequence; undefined where there would be too many. */
  #copy(move: Move, start: number): Uint8Array | undefined {
    if (this.#copiesTaken >= this.#mostCopies) return undefined;
    const index = this.#copiesTaken++;
    this.#copies[index] ??= new Uint8Array(this.#pages.bytes);
    const into = this.#copies[index];
    move.copied.push({ start, into });
    return into;
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

  #putBack({ sequence, length, shared, pages, tail }: Move): void {
    const { tokens: pageSize } = this.#pages;
    const from = (shared?.pages ?? 0) * pageSize;
    if (shared) this.#cells.sharePrefix(shared.sequence, sequence, from);
    const whole = this.#pages.restore(sequence, from, pages);
    const end = from + pages.length * pageSize;
    const part = tail ? this.#pages.restorePart(sequence, end, length, tail, length - pageSize) : 'done';
    if (whole !== 'done' || part !== 'done')
      throw new Error(`The pages of sequence ${sequence} could not be put back: ${whole}, ${part}.`);
  }
}
