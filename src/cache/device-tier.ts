import type { Engine } from '../engine/engine.ts';
import type { Node } from './node.ts';
import type { RadixTree } from './radix-tree.ts';

/** What L1 needs of an engine. */
export type DeviceCells = Pick<
  Engine,
  'limits' | 'cellsInUse' | 'sharePrefix' | 'truncateSequence' | 'sequenceLength' | 'sequenceCells'
>;

/** Prompts of less than a page, which L2 has no page for, stay in L1 up to that. */
const TAIL_TOKENS = 256;

/**
 * L1: which sequence ids hold the cells that the tree knows. A cached way from the root to a leaf is held by one
 * sequence, which shares the cells of what it has in common with others; so the number of ids is the number of leaves.
 * A sequence that a request uses can be such a holder at the same time.
 */
export class DeviceTier {
  readonly #cells: DeviceCells;
  readonly #tree: RadixTree;
  readonly #free: number[];
  /** The leaf whose way a sequence holds. */
  readonly #leaves = new Map<number, Node>();
  readonly #running = new Set<number>();
  /** Called before a node leaves L1, the moment to keep its pages elsewhere. Answers whether they are. */
  beforeEviction: (node: Node) => boolean = () => false;
  /** Tokens that left L1 to make room. */
  evictedTokens = 0;

  constructor(cells: DeviceCells, tree: RadixTree) {
    this.#cells = cells;
    this.#tree = tree;
    const { sequences } = cells.limits;
    this.#free = Array.from({ length: sequences }, (_, i) => sequences - 1 - i);
  }

  get freeCells(): number {
    return this.#cells.limits.cells - this.#cells.cellsInUse;
  }

  get cells(): { capacity: number; used: number } {
    return { capacity: this.#cells.limits.cells, used: this.#cells.cellsInUse };
  }

  /** Sequences that requests use. */
  get runningSequences(): number {
    return this.#running.size;
  }

  /** Sequences that only hold what is cached. */
  get cachedSequences(): number {
    return this.#cells.limits.sequences - this.#free.length - this.#running.size;
  }

  isRunning(sequence: number): boolean {
    return this.#running.has(sequence);
  }

  get leaves(): ReadonlyMap<number, Node> {
    return this.#leaves;
  }

  /** An empty sequence for a request; evicts a cached one when none is free. Undefined when all are in use. */
  takeSequence(): number | undefined {
    while (this.#free.length === 0) {
      if (!this.evictOne()) return undefined;
    }
    const sequence = this.#free.pop();
    if (sequence !== undefined) this.#running.add(sequence);
    return sequence;
  }

  /** A request is done with its sequence. What the tree knows of it stays. */
  giveBack(sequence: number): void {
    this.#running.delete(sequence);
    const leaf = this.#leaves.get(sequence);
    this.#cells.truncateSequence(sequence, leaf?.end ?? 0);
    if (!leaf) this.#free.push(sequence);
  }

  /** Cuts what a request's sequence holds behind so many tokens. */
  truncate(sequence: number, tokens: number): void {
    this.#cells.truncateSequence(sequence, tokens);
  }

  /** A sequence that holds the cells of a node on the device and of everything above it. */
  holderOf(node: Node): number {
    let leaf = node;
    for (let child: Node | undefined = node; child; [child] = leaf.deviceChildren) leaf = child;
    if (leaf.holder < 0) throw new Error('A leaf on the device has no holder.');
    return leaf.holder;
  }

  /** Makes a sequence hold what a node on the device and those above it hold, or the first `tokens` of that. */
  share(node: Node, sequence: number, tokens: number): void {
    if (tokens <= 0) return;
    const holder = this.holderOf(node);
    if (holder !== sequence) this.#cells.sharePrefix(holder, sequence, tokens);
  }

  /**
   * Puts a node on the device whose cells, and those of everything above it, a sequence holds. It becomes the holder
   * if the node is a leaf.
   */
  adopt(node: Node, sequence: number): void {
    this.#tree.putOnDevice(node);
    if (!node.isDeviceLeaf) return;
    // One sequence holds one way: what it held so far is above the new leaf, or is gone.
    const { parent } = node;
    if (parent && parent.holder >= 0) this.#drop(parent);
    const before = this.#leaves.get(sequence);
    if (before && before !== node) throw new Error('A sequence would hold two ways.');
    this.#leaves.set(sequence, node);
    node.holder = sequence;
  }

  /** Frees cells until there are so many; false when nothing more can be evicted. */
  makeRoom(cells: number): boolean {
    while (this.freeCells < cells) {
      if (!this.evictOne(cells - this.freeCells)) return false;
    }
    return true;
  }

  /**
   * Evicts from the leaf that goes first; false when there is none.
   *
   * @param tokens how many are enough: more is evicted only to the next border of a page
   */
  evictOne(tokens = Number.POSITIVE_INFINITY): boolean {
    const node = this.#tree.deviceQueue.pop();
    if (!node) return false;
    this.#evictEnd(node, tokens);
    return true;
  }

  /**
   * Moves what goes first to where {@link beforeEviction} keeps it, until L1 holds no more unused tokens than that. What
   * nothing else can keep stays until its room is needed, but for tails beyond {@link TAIL_TOKENS}.
   */
  shrink(unusedTokens: number): void {
    const stuck: Node[] = [];
    let [stuckTokens, tailTokens] = [0, 0];
    for (;;) {
      const excess = this.#tree.evictableTokens - stuckTokens - unusedTokens;
      const node = excess > 0 ? this.#tree.deviceQueue.pop() : undefined;
      if (!node) break;
      if (this.beforeEviction(node)) {
        this.#evictEnd(node, excess);
        continue;
      }
      stuck.push(node);
      stuckTokens += node.tokens.length;
      if (node.isTail) tailTokens += node.tokens.length;
    }
    for (const node of stuck) {
      if (node.isTail && tailTokens > TAIL_TOKENS) {
        tailTokens -= node.tokens.length;
        this.evictedTokens += node.tokens.length;
        this.evict(node);
      } else {
        this.#tree.deviceQueue.offer(node);
      }
    }
  }

  #evictEnd(node: Node, tokens: number): void {
    const pages = Math.ceil(Math.min(tokens, node.tokens.length) / this.#tree.pageSize);
    // The lower part of a node that is split stays the same object.
    if (pages < node.keys.length) this.#tree.splitAbove(node, node.keys.length - pages);
    this.beforeEviction(node);
    this.evictedTokens += node.tokens.length;
    this.evict(node);
  }

  /** Takes a leaf off the device. Its parent, when that becomes a leaf, is held by the same sequence. */
  evict(node: Node): void {
    const { holder, parent } = node;
    if (!parent) throw new Error('A root is not evicted.');
    this.#tree.takeOffDevice(node);
    if (!parent.isRoot && parent.isDeviceLeaf) {
      node.holder = -1;
      parent.holder = holder;
      this.#leaves.set(holder, parent);
      if (!this.#running.has(holder)) this.#cells.truncateSequence(holder, parent.end);
    } else {
      this.#drop(node);
    }
  }

  /** Gives every sequence back. No request uses one. */
  clear(): void {
    for (const node of [...this.#leaves.values()]) this.#drop(node);
  }

  #drop(node: Node): void {
    const sequence = node.holder;
    node.holder = -1;
    this.#leaves.delete(sequence);
    if (this.#running.has(sequence)) return;
    this.#cells.truncateSequence(sequence, 0);
    this.#free.push(sequence);
  }
}
