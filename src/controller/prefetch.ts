import type { Clock } from '../shared/clock.ts';
import type { ReadResult } from '../storage/driver.ts';
import type { HostPool } from './host-pool.ts';
import type { StorageLink } from './storage-link.ts';
import type { StorageObserver, UnfulfilledReason } from './storage-observer.ts';
import { TailRead, tailName } from './tail-value.ts';

/** Pages in one read call: small enough that what has arrived can be used when a deadline cuts the rest. */
const BATCH = 16;
/** Read calls at a time. */
const PARALLEL = 2;

export type PrefetchState =
  /** Asks how many leading pages are stored. */
  | 'asking'
  /** Knows it, and waits for room in L2. */
  | 'waiting-for-room'
  | 'reading'
  | 'ended';

/** Every way from one state to the next. */
const NEXT: Record<PrefetchState, readonly PrefetchState[]> = {
  asking: ['waiting-for-room', 'reading', 'ended'],
  'waiting-for-room': ['reading', 'ended'],
  reading: ['ended'],
  ended: [],
};

export interface PrefetchOptions {
  /** Of the pages that are missing, in order. */
  keys: readonly string[];
  link: StorageLink;
  pool: HostPool;
  clock: Clock;
  observer: StorageObserver;
  tokensPerPage: number;
  /** Fewer stored pages than this are not worth it. */
  leastPages: number;
  /** Slots for so many pages, or fewer; none when there is no room now. The prefetch holds them. */
  takeSlots: (count: number) => Int32Array;
  /** Whether room that others have now will be given back, and {@link Prefetch.retry} called then. */
  roomWillCome: () => boolean;
  /** Whether the bytes are a page of this model for that place. */
  isPage: (page: Uint8Array, index: number) => boolean;
  /** Whether the prefix goes on behind so many of the pages, with what may be stored as a tail. */
  goesOn: (pages: number) => boolean;
  /**
   * What was stored behind so many of the pages has arrived: tokens, and the page that ends with them. Takes the hold of
   * the slot over, also where it is of no use.
   */
  placeTail: (pages: number, tokens: Int32Array, slot: Int32Array) => void;
  /** Pages have arrived and are verified. Takes the hold of the slots over, also when it has no place for them: false. */
  place: (index: number, slots: Int32Array) => boolean;
  onEnd: () => void;
  /** Calls back when pages can be placed: at once, or between two steps. */
  whenPlaceable: (place: () => void) => void;
}

/**
 * L3→L2 for one prefix: asks how much of it is stored, takes room for exactly that, and reads it in order. Ends by
 * itself in any case, since every call to the storage has a deadline, and at once when it is cancelled: what the driver
 * still does then, it does in slots that stay held until it is done.
 */
export class Prefetch {
  readonly #options: PrefetchOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  #state: PrefetchState = 'asking';
  /** Leading pages that are stored. */
  #hits = 0;
  #placed = 0;
  readonly #began: number;
  /** When it began to wait for room, and for how long it did before. */
  #waitingSince: number | undefined;
  #waited = 0;

  constructor(options: PrefetchOptions) {
    this.#options = options;
    this.#began = options.clock.now();
    this.#signal = AbortSignal.any([this.#abort.signal, options.link.signal]);
  }

  get state(): PrefetchState {
    return this.#state;
  }

  /** Pages that have arrived. */
  get placed(): number {
    return this.#placed;
  }

  /** Milliseconds since it began in which the storage had its turn: those that it waited for room are not. */
  get age(): number {
    const now = this.#options.clock.now();
    return now - this.#began - this.#waited - (now - (this.#waitingSince ?? now));
  }

  start(): void {
    void this.#ask();
  }

  /** There may be room now. */
  retry(): void {
    if (this.#state === 'waiting-for-room') this.#takeRoom();
  }

  /** Ends it now; pages that have arrived stay. */
  cancel(reason: UnfulfilledReason): void {
    if (this.#state === 'ended') return;
    const missing = this.#state === 'asking' ? 0 : this.#hits - this.#placed;
    this.#end(reason, missing);
  }

  async #ask(): Promise<void> {
    const { keys, link, leastPages } = this.#options;
    const size = link.driver.capabilities.batch;
    let hits = 0;
    while (hits < keys.length) {
      const batch = keys.slice(hits, hits + size);
      const results = await link.has(batch, this.#signal).catch(() => []);
      if (this.#state !== 'asking') return;
      const missing = results.findIndex((result) => result.status !== 'hit');
      hits += missing < 0 ? results.length : missing;
      if (missing >= 0 || results.length < batch.length) break;
    }
    this.#unlearnFrom(hits);
    this.#hits = hits;
    if (hits < leastPages) return this.#end('miss', 0);
    this.#takeRoom();
  }

  #takeRoom(): void {
    const { takeSlots, roomWillCome, observer, tokensPerPage, goesOn } = this.#options;
    const taken = takeSlots(this.#hits + (goesOn(this.#hits) ? 1 : 0));
    const slots = taken.subarray(0, this.#hits);
    if (slots.length === 0) {
      // Who waits for what never comes would keep its request from being computed.
      if (!roomWillCome()) this.#end('no_room', this.#hits);
      else if (this.#state === 'asking') this.#go('waiting-for-room');
      return;
    }
    if (slots.length < this.#hits)
      observer.unfulfilled('no_room', (this.#hits - slots.length) * tokensPerPage);
    this.#hits = slots.length;
    this.#go('reading');
    void this.#read(slots, taken.subarray(slots.length));
  }

  /** Reads batches ahead, and places them in order; then the tail, where there is a slot for it. */
  async #read(slots: Int32Array, tailSlot: Int32Array): Promise<void> {
    const batches: { from: number; slots: Int32Array; results: Promise<ReadResult[]> }[] = [];
    let asked = 0;
    const askMore = () => {
      while (batches.length < PARALLEL && asked < slots.length && this.#state === 'reading') {
        const size = Math.min(BATCH, this.#options.link.driver.capabilities.batch);
        const some = slots.subarray(asked, asked + size);
        batches.push({ from: asked, slots: some, results: this.#readBatch(asked, some) });
        asked += some.length;
      }
    };
    askMore();
    const tail = tailSlot.length > 0 ? this.#readTail(slots.length, tailSlot) : undefined;
    for (let batch = batches.shift(); batch; batch = batches.shift()) {
      const { from, slots: some } = batch;
      const results = await batch.results;
      await this.#whenReading(() => this.#take(from, some, results));
      askMore();
    }
    this.#options.pool.release(slots.subarray(asked));
    await tail?.then((take) => this.#whenReading(take));
    if (this.#state === 'reading') this.#end(undefined, 0);
  }

  /** Between two steps, or at once where nothing is placed any more. */
  async #whenReading(place: () => void): Promise<void> {
    if (this.#state !== 'reading') return place();
    await new Promise<void>((resolve) => {
      this.#options.whenPlaceable(() => {
        place();
        resolve();
      });
    });
  }

  #readBatch(from: number, slots: Int32Array): Promise<ReadResult[]> {
    const { keys, link, pool } = this.#options;
    const reads = Array.from(slots, (slot, i) => ({ key: keys[from + i]!, into: [pool.page(slot)] }));
    return link.read(reads, this.#signal).catch((error) => {
      // The layers answer for the driver, so this is a mistake of ours; it must not be taken for pages.
      const failed: ReadResult = { status: 'error', error: { kind: 'io', message: String(error) } };
      return reads.map(() => failed);
    });
  }

  /** Resolves with what is to be done when all pages are there. */
  async #readTail(pages: number, slot: Int32Array): Promise<() => void> {
    const { keys, link, pool, tokensPerPage, placeTail } = this.#options;
    const tail = new TailRead(keys[pages - 1]!, pool.page(slot[0]!), tokensPerPage);
    const [result] = await link.read([tail.read], this.#signal).catch(() => []);
    return () => {
      const tokens = tail.tokens(result?.status === 'hit' ? result.bytes : 0);
      const isWanted = this.#state === 'reading' && this.#placed === pages && !link.signal.aborted;
      if (isWanted && tokens.length > 0) {
        link.learn(tailName(tail.read.key, tokens));
        return placeTail(pages, tokens, slot);
      }
      const settled = result?.status === 'error' ? result.settled : undefined;
      if (settled) void settled.then(() => pool.release(slot));
      else pool.release(slot);
    };
  }

  /** Places the leading good pages of a batch; lets go of the others, and ends at the first of them. */
  #take(from: number, slots: Int32Array, results: ReadResult[]): void {
    const { link, pool, observer, tokensPerPage } = this.#options;
    const bad = slots.findIndex((slot, i) => !this.#isGood(results[i]!, slot, from + i));
    const good = this.#state !== 'reading' ? 0 : bad < 0 ? slots.length : bad;
    for (let i = good; i < slots.length; i++) {
      const result = results[i]!;
      const slot = slots.subarray(i, i + 1);
      if (result.status === 'error' && result.settled) void result.settled.then(() => pool.release(slot));
      else pool.release(slot);
    }
    if (this.#state !== 'reading') return;
    if (good > 0) {
      if (link.signal.aborted) {
        pool.release(slots.subarray(0, good));
        return this.#end('stale', this.#hits - this.#placed);
      }
      if (!this.#options.place(from, slots.subarray(0, good)))
        return this.#end('no_prefix', this.#hits - this.#placed);
      this.#placed += good;
      observer.prefetched(good * tokensPerPage);
    }
    if (bad < 0) return;
    this.#unlearnFrom(from + bad);
    const { status } = results[bad]!;
    this.#end(status === 'hit' ? 'rejected' : 'error', this.#hits - this.#placed);
  }

  /** What the store lost of a prefix it may have lost to its end: all of it is to be stored again when it is computed. */
  #unlearnFrom(index: number): void {
    const { keys, link } = this.#options;
    for (const key of keys.slice(index)) link.unlearn(key);
  }

  #isGood(result: ReadResult, slot: number, index: number): boolean {
    const { pool, isPage } = this.#options;
    return result.status === 'hit' && result.bytes === pool.pageBytes && isPage(pool.page(slot), index);
  }

  #end(reason: UnfulfilledReason | undefined, missingPages: number): void {
    const { observer, tokensPerPage, onEnd } = this.#options;
    this.#go('ended');
    this.#abort.abort();
    if (reason && missingPages > 0) observer.unfulfilled(reason, missingPages * tokensPerPage);
    onEnd();
  }

  #go(next: PrefetchState): void {
    if (!NEXT[this.#state].includes(next))
      throw new Error(`A prefetch does not go from ${this.#state} to ${next}.`);
    this.#state = next;
    const now = this.#options.clock.now();
    this.#waited += now - (this.#waitingSince ?? now);
    this.#waitingSince = next === 'waiting-for-room' ? now : undefined;
  }
}
