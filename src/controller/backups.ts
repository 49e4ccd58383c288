import type { Clock } from '../shared/clock.ts';
import type { StorageError, WriteResult } from '../storage/driver.ts';
import type { HostPool } from './host-pool.ts';
import type { StorageLink } from './storage-link.ts';
import type { NotBackedUpReason, StorageObserver } from './storage-observer.ts';
import { tailKey, tailName, tailParts } from './tail-value.ts';

/** Pages in one write call: enough to keep a store busy, few enough to free their slots soon. */
const BATCH = 16;
/** Write calls at a time. */
const PARALLEL = 2;

interface Entry {
  key: string;
  slot: number;
  /** Of a tail: its tokens. */
  tail?: Int32Array;
}

export interface BackupsOptions {
  pool: HostPool;
  link: StorageLink;
  clock: Clock;
  observer: StorageObserver;
  /** Slots that may wait to be written; what comes beyond that is not stored. */
  mostQueued: number;
  tokensPerPage: number;
  /** Nothing waits or is being written any more. */
  onIdle: () => void;
}

/**
 * L2→L3: writes pages in the background, in the order in which they came. A failed write ends nothing but itself; its
 * page is offered again when it is used again. Slots are held until the driver has let go of them.
 */
export class Backups {
  readonly #options: BackupsOptions;
  readonly #queue: Entry[] = [];
  readonly #pending = new Set<string>();
  #running = 0;
  #failed = 0;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /** Pages that wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Write calls that have not ended. */
  get inFlight(): number {
    return this.#running;
  }

  /** Pages that could not be written. */
  get failed(): number {
    return this.#failed;
  }

  /** Pages that it takes before it drops some. */
  get room(): number {
    return this.#options.mostQueued - this.#pending.size;
  }

  /** Takes pages that the caller holds at this moment; holds their slots as long as it needs them. */
  add(keys: readonly string[], slots: Int32Array): void {
    const { link } = this.#options;
    if (link.signal.aborted) return;
    for (const [i, key] of keys.entries()) {
      if (!link.knows(key)) this.#take({ key, slot: slots[i]! });
    }
    this.#pump();
  }

  /** Takes the page that ends with a tail, as {@link add} takes whole ones. Another tail may be stored in its place. */
  addTail(lastPageKey: string, tokens: Int32Array, slot: Int32Array): void {
    const { link } = this.#options;
    const key = tailKey(lastPageKey);
    if (link.signal.aborted || link.knows(tailName(key, tokens))) return;
    this.#take({ key, slot: slot[0]!, tail: tokens });
    this.#pump();
  }

  /** Lets go of everything that waits. Calls in flight are aborted with the link. */
  stop(): void {
    for (const entry of this.#queue.splice(0)) {
      this.#release(entry);
      this.#options.observer.notBackedUp('stale', this.#tokensOf(entry));
    }
  }

  #take(entry: Entry): void {
    const { pool, mostQueued, observer } = this.#options;
    if (this.#pending.has(entry.key)) return;
    if (this.#pending.size >= mostQueued) return observer.notBackedUp('queue_full', this.#tokensOf(entry));
    pool.hold(Int32Array.of(entry.slot));
    this.#pending.add(entry.key);
    this.#queue.push(entry);
  }

  #pump(): void {
    const { driver } = this.#options.link;
    const size = Math.min(BATCH, driver.capabilities.batch);
    while (this.#running < PARALLEL && this.#queue.length > 0) {
      this.#running++;
      void this.#write(this.#queue.splice(0, size)).finally(() => {
        this.#running--;
        this.#pump();
        if (this.#running === 0) this.#options.onIdle();
      });
    }
  }

  async #write(entries: Entry[]): Promise<void> {
    const { link, pool, clock, observer } = this.#options;
    const began = clock.now();
    const writes = entries.map(({ key, slot, tail }) => ({
      key,
      parts: tail ? tailParts(pool.page(slot), tail) : [pool.page(slot)],
    }));
    let results: WriteResult[];
    try {
      results = await link.write(writes);
    } catch (error) {
      // The layers answer for the driver, so this is a mistake of ours; it must not end the backups.
      const failed = { kind: 'io', message: String(error) } as const;
      results = entries.map(() => ({ status: 'error', error: failed }));
    }
    let stored = 0;
    for (const [i, entry] of entries.entries()) {
      const result = results[i]!;
      if (result.status === 'error') {
        this.#failed++;
        observer.notBackedUp(reasonOf(result.error, link.signal), this.#tokensOf(entry));
        // The driver may still read the slot.
        if (result.settled) void result.settled.then(() => this.#release(entry));
        else this.#release(entry);
      } else {
        stored += this.#tokensOf(entry);
        if (entry.tail && result.status === 'stored') link.learn(tailName(entry.key, entry.tail));
        this.#release(entry);
      }
    }
    if (stored > 0) observer.backedUp(stored, clock.now() - began);
  }

  #tokensOf({ tail }: Entry): number {
    return tail?.length ?? this.#options.tokensPerPage;
  }

  #release({ key, slot }: Entry): void {
    this.#pending.delete(key);
    this.#options.pool.release(Int32Array.of(slot));
  }
}

function reasonOf({ kind }: StorageError, ended: AbortSignal): NotBackedUpReason {
  if (ended.aborted) return 'stale';
  return kind === 'skipped' ? 'skipped' : 'error';
}
