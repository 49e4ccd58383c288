import type { HostPool } from '../controller/host-pool.ts';
import type { PageMover } from '../controller/page-mover.ts';
import type { DeviceTier } from './device-tier.ts';
import type { Node } from './node.ts';
import type { RadixTree } from './radix-tree.ts';

/**
 * What makes room for pages: what nobody uses, or before that also copies of what the device holds. Those are made again
 * when the device gives it up, so copies must not make room for other copies.
 */
export type Sacrifice = 'unused' | 'copies';

/** L2: which nodes of the tree are in host memory, and what leaves it when room is needed. */
export class HostTier {
  readonly pool: HostPool;
  readonly #tree: RadixTree;
  readonly #device: DeviceTier;
  readonly #mover: PageMover;
  /** Told of pages that came from the device, and of those that are used again; they may be held and stored. */
  onBackup: ((keys: readonly string[], slots: Int32Array) => void) | undefined;
  /** Told of a tail that came from the device: the key of the page before it, its tokens, and the slot with its page. */
  onTailBackup: ((lastPageKey: string, tokens: Int32Array, slot: Int32Array) => void) | undefined;
  /** Tokens that left L2 to make room. */
  evictedTokens = 0;

  constructor(pool: HostPool, tree: RadixTree, device: DeviceTier, mover: PageMover) {
    this.pool = pool;
    this.#tree = tree;
    this.#device = device;
    this.#mover = mover;
  }

  /**
   * Copies a node and everything above it that L2 does not hold yet from the device. False when there is no room for
   * all of it; the leading pages that there is room for are copied, and the node is split behind them. A tail is copied
   * with as many of the tokens before it as make a page; with too few before it L2 cannot hold it.
   */
  backup(node: Node, sacrifice: Sacrifice = 'unused'): boolean {
    if (node.slots || node.isRoot) return true;
    if (!node.onDevice || (node.isTail && node.end < this.#tree.pageSize)) return false;
    if (node.parent && !this.backup(node.parent, sacrifice)) return false;
    if (node.isTail) return this.#backupTail(node, sacrifice);
    const slots = this.takeUpTo(node.keys.length, sacrifice, node.parent);
    if (slots.length === 0) return false;
    const whole = slots.length === node.keys.length;
    const kept = whole ? node : this.#tree.splitAbove(node, slots.length);
    this.#mover.save(this.#device.holderOf(kept), kept.start, slots);
    this.#tree.putOnHost(kept, slots);
    this.onBackup?.(kept.keys, slots);
    return whole;
  }

  #backupTail(tail: Node, sacrifice: Sacrifice): boolean {
    const slots = this.takeUpTo(1, sacrifice, tail.parent);
    if (slots.length === 0) return false;
    this.#mover.save(this.#device.holderOf(tail), this.#partStart(tail, tail.end), slots);
    this.#tree.putOnHost(tail, slots);
    const lastPageKey = tail.parent?.keys.at(-1);
    if (lastPageKey !== undefined) this.onTailBackup?.(lastPageKey, tail.tokens, slots);
    return true;
  }

  /** Tells of what L2 holds of a way again: what could not be stored when it came may be by now. */
  offerAgain(node: Node): void {
    if (node.parent) this.offerAgain(node.parent);
    if (node.slots && !node.isTail) this.onBackup?.(node.keys, node.slots);
  }

  /** Extends a sequence of `from` tokens by the pages of slots; false when that is not possible, and nothing changed. */
  load(sequence: number, from: number, slots: Int32Array): boolean {
    return this.#mover.load(sequence, from, slots) === 'done';
  }

  /**
   * Extends a sequence that holds what stands before them by some tokens of a node that L2 holds, less than a page; false
   * when that is not possible, and nothing changed.
   */
  loadPart(sequence: number, from: number, to: number, node: Node): boolean {
    const page = node.isTail ? 0 : Math.floor((from - node.start) / this.#tree.pageSize);
    const slot = node.slots?.[page];
    if (slot === undefined) return false;
    return this.#mover.loadPart(sequence, from, to, slot, this.#partStart(node, from)) === 'done';
  }

  /** The position of the first token in the page that holds a position of a node. */
  #partStart(node: Node, position: number): number {
    const { pageSize } = this.#tree;
    return node.isTail ? node.end - pageSize : position - ((position - node.start) % pageSize);
  }

  /** Gives up what it holds of a node that nobody uses and that has nothing below it there. */
  forget(node: Node): void {
    if (node.slots) this.pool.release(this.#tree.takeOffHost(node));
  }

  /**
   * Slots for new pages, as many as there are or can be made by eviction, up to `count`. The caller holds them.
   *
   * @param parent what the pages will stand behind: it is not given up for them
   */
  takeUpTo(count: number, sacrifice: Sacrifice, parent?: Node): Int32Array {
    this.#makeRoom(count, sacrifice, parent);
    return this.pool.take(Math.min(count, this.pool.free)) ?? new Int32Array();
  }

  /** Gives all slots of the tree back. A walk that is under way finds none of them any more. */
  clear(nodes: Iterable<Node>): void {
    for (const node of nodes) {
      if (node.slots) this.pool.release(node.slots);
      node.slots = undefined;
    }
  }

  #makeRoom(count: number, sacrifice: Sacrifice, spared: Node | undefined): void {
    const { hostQueue, copyQueue } = this.#tree;
    while (this.pool.free < count) {
      const node = (sacrifice === 'copies' ? copyQueue.pop() : undefined) ?? hostQueue.pop();
      if (!node) break;
      if (node === spared) continue;
      const needed = count - this.pool.free;
      if (needed < node.keys.length) this.#tree.splitAbove(node, node.keys.length - needed);
      this.evictedTokens += node.tokens.length;
      this.pool.release(this.#tree.takeOffHost(node));
    }
    if (!spared) return;
    copyQueue.offer(spared);
    hostQueue.offer(spared);
  }
}
