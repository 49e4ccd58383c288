import { type EvictionPolicy, EvictionQueue } from './eviction.ts';
import { Node } from './node.ts';
import { commonLength, type Prefix } from './prefix.ts';

/** How far the tree knows a prefix. */
export interface Found {
  /** The last node of the way; it may hold more pages than were found. */
  readonly node: Node;
  /** Leading whole pages that are on the device or on the host. */
  readonly pages: number;
  /** Leading whole pages that are on the device. */
  readonly devicePages: number;
}

/** Where a prefix goes on behind whole pages. */
export interface FoundTokens {
  readonly node: Node;
  readonly tokens: number;
}

/**
 * The index of everything that is cached in L1 and L2: one tree per namespace. It knows which tier holds what, which
 * nodes are in use and which may go; it moves no bytes.
 */
export class RadixTree {
  readonly pageSize: number;
  /** Leaves that L1 may give up. */
  readonly deviceQueue: EvictionQueue;
  /** Leaves that only L2 holds and that it may give up. */
  readonly hostQueue: EvictionQueue;
  /** Leaves of L2 that are on the device as well: L2 can give them up without anything being lost. */
  readonly copyQueue: EvictionQueue;
  /** Told of pages that came into the tree, and of those that left it. */
  onStored: ((keys: readonly string[]) => void) | undefined;
  onRemoved: ((keys: readonly string[]) => void) | undefined;
  readonly #roots = new Map<string, Node>();
  readonly #seeds = new Map<Node, string>();
  #uses = 0;
  #evictable = 0;
  #hostPages = 0;

  constructor(pageSize: number, policy: EvictionPolicy) {
    this.pageSize = pageSize;
    this.deviceQueue = new EvictionQueue(
      policy,
      (node) => !node.isRoot && node.isDeviceLeaf && node.locks === 0,
    );
    this.hostQueue = new EvictionQueue(
      policy,
      (node) => node.isHostLeaf && !node.onDevice && node.locks === 0,
    );
    this.copyQueue = new EvictionQueue(policy, (node) => node.isHostLeaf && node.onDevice);
  }

  /** Tokens on the device that nobody uses. */
  get evictableTokens(): number {
    return this.#evictable;
  }

  /** Pages on the host. */
  get hostPages(): number {
    return this.#hostPages;
  }

  /**
   * Changes nothing. Token ids are compared even where keys are equal.
   *
   * @param most pages to look for at most
   */
  find(prefix: Prefix, most: number = prefix.pages): Found {
    const { tokens } = prefix;
    let node = this.#roots.get(prefix.seed) ?? EMPTY;
    let pages = 0;
    let devicePages = 0;
    while (pages < most) {
      const child = node.children.get(prefix.key(pages));
      if (!child) break;
      const same = commonLength(child.tokens, 0, tokens, pages * this.pageSize);
      const found = Math.min(Math.floor(same / this.pageSize), most - pages);
      if (found === 0) break;
      node = child;
      pages += found;
      if (child.onDevice) devicePages = pages;
      if (found < child.keys.length) break;
    }
    return Object.freeze({ node, pages, devicePages });
  }

  /**
   * The node that goes on with most of a prefix's tokens behind the pages that were found, on the device where two do.
   * On the host alone it goes on for less than a page. Changes nothing.
   */
  findTokens(prefix: Prefix, { node, pages }: Found): FoundTokens | undefined {
    const { tokens } = prefix;
    const start = pages * this.pageSize;
    if (start < node.end) {
      const same = commonLength(node.tokens, start - node.start, tokens, start);
      return same > 0 ? { node, tokens: same } : undefined;
    }
    let best: FoundTokens | undefined;
    for (const children of [node.deviceChildren, node.tails, node.children.values()]) {
      for (const child of children) {
        const same = commonLength(child.tokens, 0, tokens, start);
        if (same > (best?.tokens ?? 0)) best = { node: child, tokens: same };
      }
    }
    return best;
  }

  /** The root of a namespace; made when it is missing. */
  root(seed: string): Node {
    let root = this.#roots.get(seed);
    if (!root) {
      root = new Node(undefined, 0, new Int32Array(), []);
      root.onDevice = true;
      this.#roots.set(seed, root);
      this.#seeds.set(root, seed);
    }
    return root;
  }

  get roots(): Iterable<[seed: string, root: Node]> {
    return this.#roots;
  }

  /** Makes a node end where what was found ends; returns that node, or the root when nothing was found. */
  splitAt({ node, pages }: Found, prefix: Prefix): Node {
    if (pages === 0) return this.root(prefix.seed);
    const end = pages * this.pageSize;
    return end === node.end ? node : this.splitAbove(node, (end - node.start) / this.pageSize);
  }

  /**
   * Splits a node after so many of its pages; returns the new upper one. The lower one stays the same object: who
   * locked it goes on using all of it.
   */
  splitAbove(node: Node, pages: number): Node {
    const { parent } = node;
    if (!parent || pages <= 0 || pages >= node.keys.length)
      throw new RangeError('A node is split inside of it.');
    const tokens = pages * this.pageSize;
    const upper = new Node(parent, node.start, node.tokens.subarray(0, tokens), node.keys.slice(0, pages));
    upper.locks = node.locks;
    upper.hits = node.hits;
    upper.lastUse = node.lastUse;
    upper.priority = node.priority;
    upper.onDevice = node.onDevice;
    upper.slots = node.slots?.subarray(0, pages);
    upper.children.set(node.keys[pages]!, node);
    if (node.onDevice) {
      upper.deviceChildren.add(node);
      parent.deviceChildren.delete(node);
      parent.deviceChildren.add(upper);
    }
    if (node.slots) upper.hostChildren = 1;
    parent.children.set(upper.keys[0]!, upper);
    node.parent = upper;
    node.start += tokens;
    node.tokens = node.tokens.subarray(tokens);
    node.keys = node.keys.slice(pages);
    node.slots = node.slots?.subarray(pages);
    return upper;
  }

  /**
   * Adds whole pages behind a node; they are on no tier yet, which the caller sees to at once. Undefined when their
   * key is there with other tokens.
   */
  add(parent: Node, prefix: Prefix, fromPage: number, toPage: number): Node | undefined {
    if (parent.children.has(prefix.key(fromPage))) return undefined;
    const [start, end] = [fromPage * this.pageSize, toPage * this.pageSize];
    const node = new Node(parent, start, prefix.tokens.slice(start, end), prefix.keys(fromPage, toPage));
    parent.children.set(node.keys[0]!, node);
    this.onStored?.(node.keys);
    return node;
  }

  /** Adds a tail behind a node. The caller puts it on a tier at once. */
  addTail(parent: Node, tokens: Int32Array): Node {
    const tail = new Node(parent, parent.end, tokens, []);
    parent.tails.add(tail);
    return tail;
  }

  /** Notes that a node's cells are cached now. Its parent's are. */
  putOnDevice(node: Node): void {
    if (node.onDevice) return;
    node.onDevice = true;
    node.parent?.deviceChildren.add(node);
    if (node.locks === 0) this.#evictable += node.tokens.length;
    this.copyQueue.offer(node);
  }

  /** Notes that a node's cells are cached no more. It has no children on the device. */
  takeOffDevice(node: Node): void {
    const { parent } = node;
    if (!node.isDeviceLeaf || !parent) throw new Error('Only a leaf leaves the device.');
    node.onDevice = false;
    parent.deviceChildren.delete(node);
    if (node.locks === 0) this.#evictable -= node.tokens.length;
    this.#removeIfNowhere(node);
    this.deviceQueue.offer(parent);
    this.hostQueue.offer(node);
  }

  /** Notes that a node's pages are in these slots now. Its parent's are on the host. The tree holds the slots. */
  putOnHost(node: Node, slots: Int32Array): void {
    const { parent } = node;
    if (
      node.slots ||
      !parent ||
      (parent.parent && !parent.slots) ||
      slots.length !== (node.isTail ? 1 : node.keys.length)
    )
      throw new Error('Pages come to the host from the root on, once.');
    node.slots = slots;
    parent.hostChildren++;
    this.#hostPages += slots.length;
    this.hostQueue.offer(node);
    this.copyQueue.offer(node);
  }

  /** Notes that the host holds a node's pages no more; returns their slots to the caller. It has no host children. */
  takeOffHost(node: Node): Int32Array {
    const { slots, parent } = node;
    if (!slots || node.hostChildren > 0 || !parent) throw new Error('Only a leaf leaves the host.');
    node.slots = undefined;
    parent.hostChildren--;
    this.#hostPages -= slots.length;
    this.#removeIfNowhere(node);
    this.hostQueue.offer(parent);
    this.copyQueue.offer(parent);
    return slots;
  }

  /** Protects a node and everything above it from eviction, until {@link unlock}. */
  lock(node: Node): void {
    for (let at: Node | undefined = node; at; at = at.parent) {
      if (at.locks++ === 0 && at.onDevice) this.#evictable -= at.tokens.length;
    }
  }

  unlock(node: Node): void {
    for (let at: Node | undefined = node; at; at = at.parent) {
      if (at.locks === 0) throw new Error('A node is unlocked more often than locked.');
      if (--at.locks > 0) continue;
      if (at.isRoot) this.#forgetEmptyRoot(at);
      if (at.onDevice) this.#evictable += at.tokens.length;
      this.deviceQueue.offer(at);
      this.hostQueue.offer(at);
    }
  }

  /** Marks a node and everything above it as used now. */
  use(node: Node, priority: number): void {
    const now = ++this.#uses;
    for (let at: Node | undefined = node; at?.parent; at = at.parent) {
      at.lastUse = now;
      if (priority > at.priority) at.priority = priority;
    }
  }

  /** Forgets everything; tells of the pages that leave. What the tiers hold is the caller's to free. */
  clear(): void {
    for (const [, root] of this.#roots) {
      for (const node of nodesBelow(root)) {
        this.#forgetInQueues(node);
        this.onRemoved?.(node.keys);
      }
    }
    this.#roots.clear();
    this.#seeds.clear();
    this.#evictable = 0;
    this.#hostPages = 0;
  }

  #removeIfNowhere(node: Node): void {
    const { parent } = node;
    if (node.onDevice || node.slots || !parent) return;
    this.#forgetInQueues(node);
    const [key] = node.keys;
    if (key === undefined) {
      parent.tails.delete(node);
    } else {
      parent.children.delete(key);
      this.onRemoved?.(node.keys);
    }
    if (parent.isRoot) this.#forgetEmptyRoot(parent);
  }

  #forgetInQueues(node: Node): void {
    for (const queue of [this.deviceQueue, this.hostQueue, this.copyQueue]) queue.forget(node);
  }

  /** Every salt makes a root: those of namespaces that hold nothing any more must not stay. */
  #forgetEmptyRoot(root: Node): void {
    const seed = this.#seeds.get(root);
    if (seed === undefined || root.locks > 0 || root.children.size > 0 || root.tails.size > 0) return;
    this.#roots.delete(seed);
    this.#seeds.delete(root);
  }
}

/** Stands in for the root of a namespace that nobody has used yet. */
const EMPTY = Object.freeze(new Node(undefined, 0, new Int32Array(), []));

/** All nodes below one, parents before their children. */
export function* nodesBelow(root: Node): Generator<Node> {
  const left: Node[] = [root];
  for (let node = left.pop(); node; node = left.pop()) {
    if (node !== root) yield node;
    left.push(...node.children.values(), ...node.tails);
  }
}
