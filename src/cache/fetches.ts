import type { HostPool } from '../controller/host-pool.ts';
import { Prefetch } from '../controller/prefetch.ts';
import type { Worth } from '../controller/rates.ts';
import type { StorageLink } from '../controller/storage-link.ts';
import type { StorageObserver } from '../controller/storage-observer.ts';
import type { Clock } from '../shared/clock.ts';
import type { HostTier } from './host-tier.ts';
import type { PrefetchSettings } from './prefetch-policy.ts';
import { commonLength, type Prefix } from './prefix.ts';
import type { RadixTree } from './radix-tree.ts';
import { ADMIT_AT_ONCE, type Arrival } from './request-cache.ts';
import { WaitingArrival } from './waiting-arrival.ts';

/** The share of L2 that fetched pages may take before their requests are admitted. */
const BUDGET = 0.5;

export interface FetchesOptions {
  tree: RadixTree;
  host: HostTier;
  clock: Clock;
  observer: StorageObserver;
  /** Whether bytes are a page of this model whose first token is at that position. */
  isPage: (page: Uint8Array, position: number) => boolean;
  /** Whether reading from the storage is worth it. */
  reading: Worth;
  policies: { readonly prefetch: PrefetchSettings };
  /** Something that a waiting request waits for has happened. */
  onProgress: () => void;
}

/** A prefetch, with the requests that wait for it. */
interface Fetch {
  readonly prefetch: Prefetch;
  readonly prefix: Prefix;
  /** Pages of the prefix: the first one that it fetches, and the one behind its last. */
  readonly from: number;
  readonly to: number;
  readonly waiting: Set<WaitingArrival>;
}

/** L3→L2 for requests that wait: what several of them miss is fetched once. */
export class Fetches {
  readonly #options: FetchesOptions;
  /** Those that have not ended, by the keys that they fetch. */
  readonly #byKey = new Map<string, Fetch>();
  readonly #live = new Set<Fetch>();
  readonly #arrivals = new Set<WaitingArrival>();
  #link: StorageLink | undefined;
  #changes: (() => void)[] = [];

  constructor(options: FetchesOptions) {
    this.#options = options;
  }

  /** Prefetches that have not ended. */
  get inFlight(): number {
    return this.#live.size;
  }

  /** Whether the storage is asked or read from. What waits for room may do so until requests are admitted again. */
  get busy(): boolean {
    for (const { prefetch } of this.#live) if (prefetch.state !== 'waiting-for-room') return true;
    return false;
  }

  /** From now on prefixes are fetched from this backend. Fetches from another one end, and how quick it was is forgotten. */
  use(link: StorageLink | undefined): void {
    // First, so that nobody whose fetch ends here turns to the old one again.
    this.#link = link;
    for (const fetch of [...this.#live]) fetch.prefetch.cancel('stale');
    this.forgetSpeed();
  }

  /** How quick the backend was says nothing of now. */
  forgetSpeed(): void {
    this.#options.reading.rate.forget();
  }

  expect(prefix: Prefix): Arrival {
    if (!this.#link) return ADMIT_AT_ONCE;
    const arrival: WaitingArrival = new WaitingArrival({
      prefix,
      tree: this.#options.tree,
      clock: this.#options.clock,
      settings: this.#options.policies.prefetch,
      join: (asked) => this.#join(prefix, asked, arrival),
      onProgress: this.#options.onProgress,
      onWaitAgain: () => this.#retryOthers(),
      onLeave: () => this.#leave(arrival),
    });
    this.#arrivals.add(arrival);
    arrival.advance();
    return arrival;
  }

  /** Takes in what has arrived; to be called between two steps, whenever there was progress. */
  takeIn(): void {
    while (this.#changes.length > 0) for (const change of this.#changes.splice(0)) change();
  }

  /** Lets go of everything that is kept for waiting requests: running ones need the room. */
  unlockAll(): void {
    for (const arrival of this.#arrivals) arrival.unlock();
  }

  /** The missing part of a prefix as pages, if it is worth a prefetch; its first `asked` pages were asked for before. */
  #missingPages(prefix: Prefix, asked: number): { from: number; to: number } | undefined {
    const { tree } = this.#options;
    const { pages: from } = tree.find(prefix);
    const to = prefix.pages;
    // What was asked for and did not come is not asked for again.
    return from >= asked && to - from >= this.#leastPages ? { from, to } : undefined;
  }

  get #leastPages(): number {
    const { policies, tree } = this.#options;
    return Math.max(1, Math.ceil(policies.prefetch.threshold / tree.pageSize));
  }

  /** The fetch that brings the first page of a prefix that is missing; a new one, unless it is under way. */
  #join(prefix: Prefix, asked: number, arrival: WaitingArrival): { from: number; to: number } | undefined {
    const missing = this.#missingPages(prefix, asked);
    const link = this.#link;
    if (!link || !missing) return undefined;
    const { from, to } = missing;
    const running = this.#byKey.get(prefix.key(from));
    if (running) {
      running.waiting.add(arrival);
      return { from, to: Math.min(running.to, prefix.commonPages(running.prefix)) };
    }
    if (!this.#options.reading.ask()) return undefined;
    this.#begin(prefix, from, to, link, arrival);
    return missing;
  }

  #begin(prefix: Prefix, from: number, to: number, link: StorageLink, arrival: WaitingArrival): void {
    const { host, tree, clock, observer, isPage } = this.#options;
    const keys = prefix.keys(from, to);
    // What the pages will stand behind would be the first to make room for them.
    tree.use(tree.find(prefix, from).node, 0);
    const prefetch: Prefetch = new Prefetch({
      keys,
      link,
      pool: host.pool,
      clock,
      observer,
      tokensPerPage: tree.pageSize,
      leastPages: this.#leastPages,
      takeSlots: (count) => this.#takeSlots(fetch, count),
      roomWillCome: () => this.#roomWillCome(),
      isPage: (page, index) => isPage(page, (from + index) * tree.pageSize),
      place: (index, slots) => this.#place(fetch, from + index, slots),
      goesOn: (pages) => prefix.length - 1 > (from + pages) * tree.pageSize,
      placeTail: (pages, tokens, slot) => this.#placeTail(fetch, from + pages, tokens, slot),
      onEnd: () => this.#ended(fetch, keys),
      whenPlaceable: (place) => {
        if (this.#isOnHost(prefix, to)) return place();
        this.#changes.push(place);
        this.#options.onProgress();
      },
    });
    const fetch: Fetch = { prefetch, prefix, from, to, waiting: new Set([arrival]) };
    for (const key of keys) this.#byKey.set(key, fetch);
    this.#live.add(fetch);
    prefetch.start();
  }

  /** As many as the budget has; none while that is too little or others wait longer, and there will be more. */
  #takeSlots({ prefetch, prefix, from }: Fetch, count: number): Int32Array {
    const { host, tree } = this.#options;
    const most = Math.min(count, Math.floor(host.pool.capacity * BUDGET));
    const free = this.#freeBudget(host.pool);
    if ((free < most || this.#isBehindOthers(prefetch)) && this.#roomWillCome()) return new Int32Array();
    return host.takeUpTo(Math.min(most, free), 'copies', tree.find(prefix, from).node);
  }

  /** Whether one that began before waits for room: it would be overtaken again and again. */
  #isBehindOthers(asking: Prefetch): boolean {
    for (const { prefetch } of this.#live) {
      if (prefetch === asking) return false;
      if (prefetch.state === 'waiting-for-room') return true;
    }
    return false;
  }

  /**
   * Derived from what is there: nothing is added up by hand. Slots that are in use and not the tree's are those of
   * transfers, also of ended ones that the driver has not let go of.
   */
  #freeBudget(pool: HostPool): number {
    let taken = pool.capacity - pool.free - this.#options.tree.hostPages;
    const kept = new Map<string, number>();
    for (const arrival of this.#arrivals)
      for (const [end, pages] of arrival.kept) kept.set(end, Math.max(pages, kept.get(end) ?? 0));
    for (const pages of kept.values()) taken += pages;
    return Math.max(0, Math.floor(pool.capacity * BUDGET) - taken);
  }

  /**
   * Whether the host holds all that is cached of the first pages of a prefix. If not, cells must be copied first, which
   * no batch may be in.
   */
  #isOnHost(prefix: Prefix, pages: number): boolean {
    const { node } = this.#options.tree.find(prefix, pages);
    return node.isRoot || node.onHost;
  }

  /** Puts pages into the tree, behind their prefix. What came there meanwhile is left alone. */
  #place(fetch: Fetch, page: number, slots: Int32Array): boolean {
    const { tree, host } = this.#options;
    const { prefix } = fetch;
    const end = page + slots.length;
    const found = tree.find(prefix, end);
    if (found.pages < page) {
      host.pool.release(slots);
      return false;
    }
    const known = found.pages - page;
    host.pool.release(slots.subarray(0, known));
    const rest = slots.subarray(known);
    const parent = tree.splitAt(found, prefix);
    // The host's nodes form a tree from the root: what is on the device alone is copied first.
    const fits = rest.length === 0 || host.backup(parent, 'copies');
    const node = fits && rest.length > 0 ? tree.add(parent, prefix, found.pages, end) : undefined;
    if (node) tree.putOnHost(node, rest);
    else host.pool.release(rest);
    if (!fits) return false;
    const deepest = node ?? parent;
    tree.use(deepest, 0);
    for (const arrival of fetch.waiting) arrival.arrived(fetch.prefix, page, end);
    return true;
  }

  /** Puts a tail into the tree, behind the pages before it, where it says more than what is there. */
  #placeTail(fetch: Fetch, page: number, tokens: Int32Array, slot: Int32Array): void {
    const { tree, host, isPage, observer } = this.#options;
    const { prefix } = fetch;
    const found = tree.find(prefix, page);
    const start = page * tree.pageSize;
    const common = commonLength(tokens, 0, prefix.tokens, start);
    const known = tree.findTokens(prefix, found)?.tokens ?? 0;
    const isOurs = isPage(host.pool.page(slot[0]!), start + tokens.length - tree.pageSize);
    const isWanted = found.pages === page && common > known && isOurs;
    const parent = isWanted ? tree.splitAt(found, prefix) : undefined;
    if (!parent?.onHost) return host.pool.release(slot);
    const tail = tree.addTail(parent, tokens.slice());
    tree.putOnHost(tail, slot);
    observer.prefetched(common);
    tree.use(tail, 0);
    for (const arrival of fetch.waiting) arrival.tailArrived(prefix, tail);
  }

  /** From fetches that are reading, and requests that wait for nothing but their turn: those go on by themselves. */
  #roomWillCome(): boolean {
    for (const { prefetch } of this.#live) if (prefetch.state === 'reading') return true;
    for (const arrival of this.#arrivals) if (arrival.kept.length > 0 && arrival.ready()) return true;
    return false;
  }

  #ended(fetch: Fetch, keys: readonly string[]): void {
    const { tree, reading, onProgress } = this.#options;
    // Where what was there when this one began has left since, another one may fetch its keys, too.
    for (const key of keys) if (this.#byKey.get(key) === fetch) this.#byKey.delete(key);
    this.#live.delete(fetch);
    const { placed, age } = fetch.prefetch;
    if (placed > 0) reading.rate.measured(placed * tree.pageSize, age);
    for (const arrival of fetch.waiting) arrival.advance();
    this.#retryOthers();
    onProgress();
  }

  #leave(arrival: WaitingArrival): void {
    this.#arrivals.delete(arrival);
    for (const fetch of [...this.#live]) {
      if (!fetch.waiting.delete(arrival) || fetch.waiting.size > 0) continue;
      const { state, placed, age } = fetch.prefetch;
      // Nothing came in all that time: that is how quick the storage is.
      if (arrival.waitedInVain && placed === 0 && state !== 'waiting-for-room')
        this.#options.reading.rate.measured(0, age);
      fetch.prefetch.cancel('cancelled');
    }
    this.#retryOthers();
  }

  #retryOthers(): void {
    for (const { prefetch } of this.#live) prefetch.retry();
  }
}
