import type { Rate, Worth } from '../controller/rates.ts';
import type { CacheReport } from '../shared/messages.ts';
import type { DeviceTier } from './device-tier.ts';
import type { HostTier } from './host-tier.ts';
import { type Lease, OpenLease } from './lease.ts';
import type { Node } from './node.ts';
import { commonLength, type Prefix } from './prefix.ts';
import { nodesBelow, type RadixTree } from './radix-tree.ts';
import { ADMIT_AT_ONCE, type Arrival, type RequestCache } from './request-cache.ts';
import type { StorageTier } from './storage-tier.ts';
import type { Swapping } from './swapping.ts';
import { keepsEverything, type WritePolicy, writeThreshold } from './write-policy.ts';

export interface PrefixCacheParts {
  tree: RadixTree;
  device: DeviceTier;
  /** L2; without it nothing outlives its cells. */
  host: HostTier | undefined;
  /** L3; needs L2. */
  storage: StorageTier | undefined;
  policies: { readonly write: WritePolicy };
  /** Tokens that nobody uses and that stay on the device all the same, when L2 can hold them. */
  unusedDeviceTokens: number;
  /** Where prompts are computed more quickly without the cells of others. */
  swapping: Swapping | undefined;
  /** How quickly tokens are computed, measured here. */
  computeRate: Rate;
  /** Whether loading from L2 is worth it. */
  loading: Worth;
}

/** The radix cache: prefixes found in one tree over L1 and L2, fetched from L3, and kept by policy. */
export class PrefixCache implements RequestCache {
  readonly #tree: RadixTree;
  readonly #device: DeviceTier;
  readonly #host: HostTier | undefined;
  readonly #storage: StorageTier | undefined;
  readonly #parts: PrefixCacheParts;
  readonly #filled = new Set<OpenLease>();

  constructor(parts: PrefixCacheParts) {
    this.#parts = parts;
    this.#tree = parts.tree;
    this.#device = parts.device;
    this.#host = parts.host;
    this.#storage = parts.storage;
    this.#device.beforeEviction = (node) => this.#keep(node);
  }

  get pageSize(): number {
    return this.#tree.pageSize;
  }

  get availableCells(): number {
    return this.#device.freeCells + this.#tree.evictableTokens;
  }

  cachedTokens(prefix: Prefix): number {
    const found = this.#tree.find(prefix);
    const more = this.#tree.findTokens(prefix, found)?.tokens ?? 0;
    return found.pages * this.#tree.pageSize + more;
  }

  takeIn(): void {
    this.#storage?.takeIn();
  }

  swapOut(computing: readonly Lease[], tokens: number): void {
    const { swapping } = this.#parts;
    if (!swapping) return;
    const ways = new Map<number, Node>(this.#device.leaves);
    for (const { sequence, node } of this.#filled) ways.set(sequence, node);
    swapping.swapOut(
      computing.map(({ sequence }) => sequence),
      tokens,
      ways,
    );
  }

  swapIn(): void {
    this.#parts.swapping?.swapIn();
  }

  expect(prefix: Prefix): Arrival {
    return this.#storage?.expect(prefix) ?? ADMIT_AT_ONCE;
  }

  reserve(prefix: Prefix, priority: number): Lease {
    const found = this.#tree.find(prefix);
    const more = this.#tree.findTokens(prefix, found);
    const node = this.#tree.splitAt(found, prefix);
    this.#tree.lock(node);
    if (more) this.#tree.lock(more.node);
    const source = more?.node.onDevice ? more : undefined;
    // The last token is always computed: its logits choose the next one.
    const known = found.devicePages * this.#tree.pageSize + (source?.tokens ?? 0);
    const lease = new OpenLease(prefix, priority, node, source?.node, Math.min(known, prefix.length - 1));
    if (!source) lease.part = more;
    return lease;
  }

  missingCells(lease: Lease): number {
    return lease.prefix.length - open(lease).deviceTokens;
  }

  cancel(lease: Lease): void {
    const held = open(lease);
    this.#unlockSource(held);
    this.#unlockPart(held);
    this.#tree.unlock(held.node);
  }

  fill(lease: Lease, arrival: Arrival): boolean {
    const held = open(lease);
    const sequence = this.#takeSequence();
    if (sequence === undefined) return false;
    held.sequence = sequence;
    this.#device.share(held.source ?? lastOnDevice(held.node), sequence, held.deviceTokens);
    held.shared = held.deviceTokens;
    held.cached.device = held.deviceTokens;
    this.#unlockSource(held);
    this.#load(held, arrival);
    this.#loadPart(held, arrival);
    this.#unlockPart(held);
    for (let at: Node | undefined = held.node; at; at = at.parent) at.hits++;
    this.#tree.use(held.node, held.priority);
    this.#host?.offerAgain(held.node);
    this.#writeThrough(held.node);
    this.#filled.add(held);
    return true;
  }

  makeRoom(cells: number): boolean {
    if (this.#device.makeRoom(cells)) return true;
    // What is kept for requests that wait must not keep the running ones from going on.
    this.#storage?.unlockAll();
    return this.#device.makeRoom(cells);
  }

  publish(lease: Lease, computed: number, what: 'pages' | 'tokens'): void {
    const held = open(lease);
    const { prefix, sequence } = held;
    const pages = Math.floor(computed / this.#tree.pageSize);
    if (what === 'pages' && pages <= held.publishedPages) return;
    held.publishedPages = pages;
    this.#removeOwnTail(held);
    const found = this.#tree.find(prefix, pages);
    let node = this.#tree.splitAt(found, prefix);
    this.#shareWithTree(held, lastOnDevice(node));
    for (const below of offDevice(node)) this.#device.adopt(below, sequence);
    if (found.pages < pages) {
      const added = this.#tree.add(node, prefix, found.pages, pages);
      if (!added) return;
      added.hits = 1;
      this.#removeTailsLike(node, added.tokens);
      this.#device.adopt(added, sequence);
      node = added;
    }
    held.shared = Math.max(held.shared, pages * this.#tree.pageSize);
    this.#moveLock(held, node);
    this.#tree.use(node, held.priority);
    this.#writeThrough(node);
    if (what === 'tokens') this.#publishTail(held, node, computed);
  }

  close(lease: Lease, computed: number): void {
    const held = open(lease);
    this.publish(lease, computed, 'tokens');
    this.#filled.delete(held);
    this.#tree.unlock(held.node);
    this.#device.giveBack(held.sequence);
    if (this.#host) this.#device.shrink(this.#parts.unusedDeviceTokens);
  }

  computed(tokens: number, milliseconds: number): void {
    this.#parts.computeRate.measured(tokens, milliseconds);
  }

  rest(isResting: boolean): void {
    this.#host?.pool.rest(isResting);
  }

  get idle(): boolean {
    return !this.#storage?.busy;
  }

  flush(): void {
    this.#device.clear();
    for (const [, root] of this.#tree.roots) this.#host?.clear(nodesBelow(root));
    this.#tree.clear();
  }

  report(): CacheReport {
    const { capacity, used } = this.#device.cells;
    const out = this.#parts.swapping?.cellsOut ?? 0;
    return {
      cells: { capacity, used: used + out, evictable: this.#tree.evictableTokens },
      hostPages: { capacity: this.#host?.pool.capacity ?? 0, used: this.#tree.hostPages },
      sequences: { running: this.#device.runningSequences, cached: this.#device.cachedSequences },
      evictedTokens: { device: this.#device.evictedTokens, host: this.#host?.evictedTokens ?? 0 },
      inFlight: this.#storage?.inFlight ?? { prefetch: 0, backup: 0 },
      queued: this.#storage?.queued ?? 0,
    };
  }

  #takeSequence(): number | undefined {
    const sequence = this.#device.takeSequence();
    if (sequence !== undefined) return sequence;
    // What is kept for requests that wait may be in every sequence; those may be behind this one in the order.
    this.#storage?.unlockAll();
    return this.#device.takeSequence();
  }

  /** Loads the pages that only L2 holds into the sequence, as far as there is room. */
  #load(held: OpenLease, arrival: Arrival): void {
    const pageSize = this.#tree.pageSize;
    const nodes = [...offDevice(held.node)];
    const [first] = nodes;
    if (!first || !this.#host || !this.#parts.loading.ask()) return;
    const from = first.start;
    const last = held.prefix.length - 1;
    // Of a page whose only missing token is computed anyway there is nothing to load.
    const wanted = Math.min(held.node.end - from, Math.ceil((last - from) / pageSize) * pageSize);
    this.#device.makeRoom(wanted);
    const pages = Math.floor(Math.min(wanted, this.#device.freeCells) / pageSize);
    const slots = slotsOf(nodes, pages);
    if (pages === 0 || !this.#host.load(held.sequence, from, slots)) return;
    const loaded = Math.min(from + pages * pageSize, last);
    this.#device.truncate(held.sequence, loaded);
    const end = Math.floor(loaded / pageSize) * pageSize;
    for (const node of nodes) {
      if (node.start >= end) break;
      const inside = node.end <= end ? node : this.#tree.splitAbove(node, (end - node.start) / pageSize);
      this.#device.adopt(inside, held.sequence);
    }
    held.shared = end;
    held.cached.storage = arrival.fetchedTokens(from, loaded);
    held.cached.host = loaded - from - held.cached.storage;
  }

  /** Loads the tokens behind the last whole page that L2 holds, where the sequence holds all those before. */
  #loadPart({ part, prefix, node, sequence, cached }: OpenLease, arrival: Arrival): void {
    const from = cached.device + cached.host + cached.storage;
    const to = Math.min(from + (part?.tokens ?? 0), prefix.length - 1);
    if (!part || !this.#host || from !== node.end || to <= from) return;
    if (!this.#parts.loading.ask() || !this.#device.makeRoom(this.#tree.pageSize)) return;
    if (!this.#host.loadPart(sequence, from, to, part.node)) return;
    const fetched = arrival.fetchedTokens(from, to);
    cached.storage += fetched;
    cached.host += to - from - fetched;
  }

  /** Where the tree has cells of its own for what the sequence computed, the sequence takes those and frees its own. */
  #shareWithTree(held: OpenLease, node: Node): void {
    if (node.end <= held.shared) return;
    this.#device.share(node, held.sequence, node.end);
    held.shared = node.end;
  }

  /** Keeps the tokens behind the last whole page, which the next turn of a conversation goes on with. */
  #publishTail(held: OpenLease, parent: Node, computed: number): void {
    const tokens = held.prefix.tokens.slice(parent.end, computed);
    if (tokens.length === 0) return;
    for (const others of [parent.deviceChildren, parent.tails])
      for (const other of others) if (startsWith(other.tokens, tokens)) return;
    this.#removeTailsLike(parent, tokens);
    const tail = this.#tree.addTail(parent, tokens);
    this.#device.adopt(tail, held.sequence);
    this.#moveLock(held, tail);
    this.#tree.use(tail, held.priority);
  }

  #removeOwnTail(held: OpenLease): void {
    const tail = held.node;
    if (!tail.isTail || !tail.parent) return;
    this.#moveLock(held, tail.parent);
    if (tail.locks === 0) this.#removeTail(tail);
  }

  /** Removes tails behind a node that say nothing more than these tokens. */
  #removeTailsLike(parent: Node, tokens: Int32Array): void {
    for (const tail of [...parent.tails])
      if (tail.locks === 0 && startsWith(tokens, tail.tokens)) this.#removeTail(tail);
  }

  #removeTail(tail: Node): void {
    this.#host?.forget(tail);
    if (tail.onDevice) this.#device.evict(tail);
  }

  #moveLock(held: OpenLease, node: Node): void {
    this.#tree.lock(node);
    this.#tree.unlock(held.node);
    held.node = node;
  }

  #unlockPart(held: OpenLease): void {
    if (held.part) this.#tree.unlock(held.part.node);
    held.part = undefined;
  }

  #unlockSource(held: OpenLease): void {
    if (held.source) this.#tree.unlock(held.source);
    held.source = undefined;
  }

  /** Copies to L2 what was used often enough, from the root on. */
  #writeThrough(node: Node): void {
    const host = this.#host;
    const threshold = writeThreshold(this.#parts.policies.write);
    if (!host) return;
    const way: Node[] = [];
    for (let at: Node | undefined = node; at && !at.isRoot; at = at.parent) if (!at.isTail) way.unshift(at);
    for (const at of way) {
      if (at.onHost) continue;
      if (at.hits < threshold || !host.backup(at)) return;
    }
  }

  /** Before a node leaves the device: whether L2 holds it, or does now. */
  #keep(node: Node): boolean {
    if (node.onHost) return true;
    const policy = this.#parts.policies.write;
    const wanted = keepsEverything(policy) || node.hits >= writeThreshold(policy);
    return wanted && (this.#host?.backup(node, 'copies') ?? false);
  }
}

/** The cache gives out no other leases. */
function open(lease: Lease): OpenLease {
  if (!(lease instanceof OpenLease)) throw new TypeError('The lease is of another cache.');
  return lease;
}

function startsWith(tokens: Int32Array, start: Int32Array): boolean {
  return commonLength(tokens, 0, start, 0) === start.length;
}

/** The deepest node of a way that is on the device; the root always is. */
function lastOnDevice(node: Node): Node {
  let at = node;
  while (!at.onDevice && at.parent) at = at.parent;
  return at;
}

/** The nodes of a way that are not on the device, from the root on. */
function offDevice(node: Node): Node[] {
  const nodes: Node[] = [];
  for (let at: Node | undefined = node; at && !at.onDevice; at = at.parent) nodes.push(at);
  return nodes.reverse();
}

function slotsOf(nodes: readonly Node[], pages: number): Int32Array {
  const slots = new Int32Array(pages);
  let filled = 0;
  for (const node of nodes) {
    const some = node.slots?.subarray(0, pages - filled) ?? [];
    slots.set(some, filled);
    filled += some.length;
  }
  return slots;
}
