import TinyQueue from 'tinyqueue';
import type { Node } from './node.ts';

export const EVICTION_POLICIES = ['lru', 'lfu', 'slru', 'priority'] as const;
export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** What goes first: the smaller rank, and of equals what was used longest ago. Ranks of a node only grow. */
const RANKS: Record<EvictionPolicy, (node: Node) => number> = {
  lru: () => 0,
  lfu: (node) => node.hits,
  // What was used once goes before everything that was used again.
  slru: (node) => (node.hits > 1 ? 1 : 0),
  priority: (node) => node.priority,
};

interface Entry {
  node: Node;
  rank: number;
  lastUse: number;
}

/**
 * The leaves of one tier in the order in which they go. A heap whose entries may be out of date: what an entry says
 * is compared with its node when it comes up, so using a node costs nothing here.
 */
export class EvictionQueue {
  readonly #rank: (node: Node) => number;
  readonly #evictable: (node: Node) => boolean;
  readonly #queued = new Set<Node>();
  #heap = new TinyQueue<Entry>([], goesFirst);

  /** @param evictable whether a node may go now; asked again when it comes up */
  constructor(policy: EvictionPolicy, evictable: (node: Node) => boolean) {
    this.#rank = RANKS[policy];
    this.#evictable = evictable;
  }

  /** Entries of the heap, for who checks that it does not grow. */
  get size(): number {
    return this.#heap.length;
  }

  /** To be called whenever a node may have become evictable. */
  offer(node: Node): void {
    if (this.#queued.has(node) || !this.#evictable(node)) return;
    this.#queued.add(node);
    this.#heap.push(this.#entry(node));
  }

  /** To be called when a node leaves the tree. */
  forget(node: Node): void {
    this.#queued.delete(node);
    if (this.#heap.length <= 2 * this.#queued.size + 64) return;
    const entries: Entry[] = [];
    for (const queued of this.#queued) entries.push(this.#entry(queued));
    this.#heap = new TinyQueue(entries, goesFirst);
  }

  has(node: Node): boolean {
    return this.#queued.has(node);
  }

  /** Takes out the node that goes first; undefined when none may go. */
  pop(): Node | undefined {
    for (let entry = this.#heap.pop(); entry; entry = this.#heap.pop()) {
      const { node, rank, lastUse } = entry;
      if (!this.#queued.has(node)) continue;
      const current = this.#entry(node);
      if (current.rank !== rank || current.lastUse !== lastUse) {
        this.#heap.push(current);
        continue;
      }
      this.#queued.delete(node);
      if (this.#evictable(node)) return node;
    }
    return undefined;
  }

  #entry(node: Node): Entry {
    return { node, rank: this.#rank(node), lastUse: node.lastUse };
  }
}

function goesFirst(a: Entry, b: Entry): number {
  return a.rank - b.rank || a.lastUse - b.lastUse;
}
