import type { Clock } from '../shared/clock.ts';
import type { Node } from './node.ts';
import { type PrefetchSettings, patience } from './prefetch-policy.ts';
import type { Prefix } from './prefix.ts';
import type { RadixTree } from './radix-tree.ts';
import type { Arrival } from './request-cache.ts';

/** Pages of a prefix. */
interface PageRange {
  from: number;
  to: number;
}

interface WaitingArrivalOptions {
  prefix: Prefix;
  tree: RadixTree;
  clock: Clock;
  settings: PrefetchSettings;
  /** Begins or joins the fetch of the first missing page; undefined when there is nothing to wait for any more. */
  join: (asked: number) => PageRange | undefined;
  onProgress: () => void;
  /** It was ready, and waits again now: who waits for what it would let go of may wait in vain. */
  onWaitAgain: () => void;
  onLeave: () => void;
}

/** One request that may wait for the storage. What was asked for and did not come is not asked for again, while nothing leaves. */
export class WaitingArrival implements Arrival {
  readonly #options: WaitingArrivalOptions;
  #timer = new AbortController();
  #fetched: PageRange[] = [];
  /** Positions of the tokens that have come as a tail. */
  #tailStart = 0;
  #tailEnd = 0;
  /** Leading pages that were asked for, or needed not be. */
  #asked = 0;
  /** Leading pages that were there when it last looked. */
  #known = 0;
  #waiting = false;
  #left = false;
  /** Milliseconds; undefined before the first fetch. */
  #patience: number | undefined;
  /** Its patience has ended. */
  #late = false;
  /** The end of what has arrived: kept until the request is admitted. */
  #locked: Node | undefined;

  constructor(options: WaitingArrivalOptions) {
    this.#options = options;
  }

  /** The fetched pages that are kept for it: the key of the last one, and how many. Requests may share them. */
  get kept(): (readonly [end: string, pages: number])[] {
    const { prefix } = this.#options;
    return this.#locked ? this.#fetched.map(({ from, to }) => [prefix.key(to - 1), to - from]) : [];
  }

  ready(): boolean {
    return !this.#waiting || this.#late;
  }

  /** Whether it was still waiting when its patience ended. */
  get waitedInVain(): boolean {
    return this.#waiting && this.#late && this.#patience !== 0;
  }

  fetchedTokens(from: number, to: number): number {
    const { pageSize } = this.#options.tree;
    let tokens = 0;
    for (const range of this.#fetched)
      tokens += Math.max(0, Math.min(to, range.to * pageSize) - Math.max(from, range.from * pageSize));
    return tokens + Math.max(0, Math.min(to, this.#tailEnd) - Math.max(from, this.#tailStart));
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#timer.abort();
    this.unlock();
    this.#options.onLeave();
  }

  asksAgain(): boolean {
    const { prefix, tree } = this.#options;
    if (this.#left || this.#waiting) return false;
    const { pages } = tree.find(prefix, this.#known);
    if (pages === this.#known) return false;
    this.#forgetFrom(pages);
    this.#timer.abort();
    this.#timer = new AbortController();
    this.#patience = undefined;
    this.#late = false;
    this.#asked = 0;
    this.advance();
    this.#options.onWaitAgain();
    return !this.ready();
  }

  /** Goes on to the next fetch, if there is one. */
  advance(): void {
    if (this.#left) return;
    const { join, prefix, tree } = this.#options;
    const range = join(this.#asked);
    this.#waiting = range !== undefined;
    this.#known = tree.find(prefix).pages;
    if (!range) return;
    this.#asked = range.to;
    if (this.#patience === undefined) this.#beginToWait((range.to - range.from) * tree.pageSize);
  }

  /** What stood behind so many pages has left. */
  #forgetFrom(pages: number): void {
    const left = this.#fetched.filter(({ from }) => from < pages);
    this.#fetched = left.map(({ from, to }) => ({ from, to: Math.min(to, pages) }));
    this.#tailEnd = 0;
  }

  #beginToWait(tokens: number): void {
    const { settings, clock, onProgress } = this.#options;
    const { signal } = this.#timer;
    this.#patience = patience(settings, tokens);
    if (this.#patience === 0) this.#late = true;
    else if (this.#patience < Number.POSITIVE_INFINITY)
      void clock.sleep(this.#patience, signal).then(() => {
        if (signal.aborted) return;
        this.#late = true;
        onProgress();
      });
  }

  /** Pages of another prefix, or this one, have come to L2. Those that are its own are kept for it. */
  arrived(prefix: Prefix, from: number, to: number): void {
    const { prefix: own, tree } = this.#options;
    const end = prefix === own ? to : Math.min(to, own.commonPages(prefix));
    if (this.#left || end <= from) return;
    this.#fetched.push({ from, to: end });
    this.#known = Math.max(this.#known, end);
    this.#keep(tree.splitAt(tree.find(own, end), own));
  }

  /** A tail of another prefix, or this one, has come to L2. */
  tailArrived(prefix: Prefix, tail: Node): void {
    const { prefix: own } = this.#options;
    const common = Math.min(prefix === own ? own.length : own.commonTokens(prefix), tail.end);
    if (this.#left || common <= tail.start) return;
    this.#tailStart = tail.start;
    this.#tailEnd = common;
    this.#keep(tail);
  }

  #keep(node: Node): void {
    this.#options.tree.lock(node);
    this.unlock();
    this.#locked = node;
  }

  unlock(): void {
    if (this.#locked) this.#options.tree.unlock(this.#locked);
    this.#locked = undefined;
  }
}
