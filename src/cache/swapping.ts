import type { HostPool } from '../controller/host-pool.ts';
import type { Engine, PageAccess } from '../engine/engine.ts';
import type { Node } from './node.ts';

/** What swapping needs of an engine. */
export type MovableCells = Pick<
  Engine,
  'limits' | 'sequenceLength' | 'sequenceCells' | 'sharePrefix' | 'truncateSequence'
>;

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
 * Takes the sequences of others out of the cells while prompts are computed. A CPU looks at every cell in use for every
 * token, in blocks of 64 tokens by 64 cells: one that is all of others costs a tenth of one that is the prompt's own, and
 * one in which they lie in turn is no cheaper at all. Pages that L2 holds, which are the same bytes, come back from there,
 * others from copies.
 */
export class Swapping {
  readonly #cells: MovableCells;
  readonly #pages: PageAccess;
  readonly #pool: HostPool | undefined;
  readonly #worthTokens: number;
  /** Reused: no more than ever were needed at once. */
  readonly #copies: Uint8Array[] = [];
  readonly #mostCopies: number;
  #copiesTaken = 0;
  /** Those that are out. */
  #out: readonly Move[] = [];
  /** Slots of L2 that they come back from. */
  #held: number[] = [];

  /** @param worthTokens a cell that so many tokens of prompts need not look at is worth being taken out and put back */
  constructor(
    cells: MovableCells,
    pages: PageAccess,
    pool: HostPool | undefined,
    worthTokens: number,
    copiedBytes = COPIED_BYTES,
  ) {
    this.#cells = cells;
    this.#pages = pages;
    this.#pool = pool;
    this.#worthTokens = worthTokens;
    this.#mostCopies = Math.floor(copiedBytes / pages.bytes);
  }

  /** Cells that those need that are out: they are as good as in use. */
  get cellsOut(): number {
    return this.#out.reduce((sum, move) => sum + this.#cellsOf(move), 0);
  }

  /**
   * Before a step that computes prompts: takes every sequence out of its cells and puts those of the step back, one after
   * the other. Where that would not be worth it, or too much would have to be copied, nothing changes. Sequences of less
   * than a page stay where they are. What is out is nowhere else: until {@link swapIn}, no sequence may be used but those
   * of the step.
   *
   * @param computing the sequences of the step
   * @param tokens what the step adds to them
   * @param ways the deepest node of each sequence that holds cells
   * @throws when pages that were in order cannot be put back: the sequences are lost then
   */
  swapOut(computing: readonly number[], tokens: number, ways: ReadonlyMap<number, Node>): void {
    const others = [...ways.keys()].filter((sequence) => !computing.includes(sequence));
    const [own, foreign] = [this.#lengthOf(computing), this.#lengthOf(others)];
    if (foreign === 0 || tokens * foreign < this.#worthTokens * (own + foreign)) return;
    const moves = this.#plan([...computing, ...others], ways);
    if (!moves || !this.#fits(moves, tokens, ways)) return;
    for (const { sequence, copied } of moves)
      for (const { start, into } of copied) this.#pages.save(sequence, start, [into]);
    for (const { sequence } of moves) this.#cells.truncateSequence(sequence, 0);
    const isComputing = ({ sequence }: Move) => computing.includes(sequence);
    for (const move of moves.filter(isComputing)) this.#putBack(move);
    this.#out = moves.filter((move) => !isComputing(move));
    this.#pool?.hold(Int32Array.from(this.#held));
  }

  /** Puts back what {@link swapOut} took out; throws as that does. */
  swapIn(): void {
    const moves = this.#out;
    if (moves.length === 0) return;
    this.#out = [];
    try {
      for (const move of moves) this.#putBack(move);
    } finally {
      this.#pool?.release(Int32Array.from(this.#held));
    }
  }

  /** Positions of those that hold a page or more. */
  #lengthOf(sequences: readonly number[]): number {
    let sum = 0;
    for (const sequence of sequences) {
      const length = this.#cells.sequenceLength(sequence);
      if (length >= this.#pages.tokens) sum += length;
    }
    return sum;
  }

  #plan(sequences: readonly number[], ways: ReadonlyMap<number, Node>): Move[] | undefined {
    this.#copiesTaken = 0;
    this.#held = [];
    const moves: Move[] = [];
    const { tokens: pageSize } = this.#pages;
    for (const sequence of sequences) {
      const length = this.#cells.sequenceLength(sequence);
      const node = ways.get(sequence);
      if (length < pageSize || !node) continue;
      const move: Move = { sequence, length, shared: undefined, pages: [], copied: [], tail: undefined };
      move.shared = this.#sharedWith(sequence, moves);
      const slots = slotsOfWay(node, pageSize);
      for (let page = move.shared?.pages ?? 0; page < Math.floor(length / pageSize); page++) {
        const bytes = this.#storedPage(slots[page], page * pageSize) ?? this.#copy(move, page * pageSize);
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

  /** A page in L2, which is held until it is put back: meanwhile it may have to make room for others. */
  #storedPage(slot: number | undefined, start: number): Uint8Array | undefined {
    if (slot === undefined || !this.#pool) return undefined;
    const page = this.#pool.page(slot);
    if (!this.#pages.accepts(page, start)) return undefined;
    this.#held.push(slot);
    return page;
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

  /** Whether all fit beside what the step adds and what stays, and the page beside them of which a part is put back last. */
  #fits(moves: readonly Move[], tokens: number, ways: ReadonlyMap<number, Node>): boolean {
    const moved = new Set(moves.map(({ sequence }) => sequence));
    let needed = tokens + this.#pages.tokens;
    for (const move of moves) needed += this.#cellsOf(move);
    for (const sequence of ways.keys())
      if (!moved.has(sequence)) needed += this.#cells.sequenceLength(sequence);
    return needed <= this.#cells.limits.cells;
  }

  #cellsOf({ length, shared }: Move): number {
    return length - (shared?.pages ?? 0) * this.#pages.tokens;
  }

  #putBack({ sequence, length, shared, pages, tail }: Move): void {
    const { tokens: pageSize } = this.#pages;
    const from = (shared?.pages ?? 0) * pageSize;
    if (shared) this.#cells.sharePrefix(shared.sequence, sequence, from);
    const end = from + pages.length * pageSize;
    let outcome = this.#pages.restore(sequence, from, pages);
    if (outcome === 'done' && tail)
      outcome = this.#pages.restorePart(sequence, end, length, tail, length - pageSize);
    if (outcome !== 'done')
      throw new Error(`The pages of sequence ${sequence} could not be put back: ${outcome}.`);
  }
}

/** The slots of a way's pages that are in L2, by their number. */
function slotsOfWay(node: Node, pageSize: number): number[] {
  const slots: number[] = [];
  for (let at: Node | undefined = node; at?.parent; at = at.parent) {
    if (at.isTail) continue;
    const first = at.start / pageSize;
    for (const [i, slot] of (at.slots ?? []).entries()) slots[first + i] = slot;
  }
  return slots;
}
