import { failure, toFailure } from '../../../shared/errors.ts';
import { unlessAborted } from '../../concurrency.ts';
import type { Failed, StorageDriver } from '../../driver.ts';
import { isKey } from '../../keys.ts';
import { failed } from '../../results.ts';
import { type Entry, Ledger } from './ledger.ts';

/** The share of the quota that is freed when room is needed, so that it is not needed for every value. */
const FREED = 1 / 20;
/** What others wrote is counted again whenever this share of the quota was written here. */
const COUNTED_AGAIN = 1 / 16;

export interface QuotaOptions {
  bytes: number;
  /** Keys that begin so are counted and removed, no others. */
  prefix: string;
}

/** Keeps what a store holds within a number of bytes, as far as this process knows what the store holds. */
export class Quota {
  readonly ledger = new Ledger();
  readonly #driver: StorageDriver;
  readonly #options: QuotaOptions;
  readonly #closing = new AbortController();
  /** Values that could not be removed when room was needed. */
  readonly #stuck = new Set<string>();
  #isOpen = false;
  /** Bytes written since the store was counted; undefined while it never was. */
  #writtenSince: number | undefined;
  #counting: Promise<void> | undefined;
  /** Resolves when nobody is making room who came before. */
  #turn: Promise<void> = Promise.resolve();

  /** @param driver that can list what it holds */
  constructor(driver: StorageDriver, options: QuotaOptions) {
    this.#driver = driver;
    this.#options = options;
  }

  get stuckValues(): number {
    return this.#stuck.size;
  }

  /** Whether a value is one of those that are kept within the quota; none is before it opens and after it closes. */
  counts(key: string): boolean {
    const { signal } = this.#closing;
    return this.#isOpen && !signal.aborted && key.startsWith(this.#options.prefix) && isKey(key);
  }

  /** Begins to count what there is; writes wait for it. Throws `storage_failed` for a store that lists no sizes. */
  async open(signal: AbortSignal): Promise<void> {
    const listing = await this.#driver.list?.(undefined, signal);
    if (!listing?.bytes) {
      const reason = "it does not list how long its values are, so 'quota' cannot be kept";
      throw failure('storage_failed', { backend: this.#driver.name, reason });
    }
    this.#isOpen = true;
    // Whoever writes hears of what goes wrong.
    this.#count().catch(() => undefined);
  }

  close(): void {
    this.#closing.abort();
  }

  /** Takes room for a value, or says why there is none; then nothing is taken. */
  async reserve(key: string, bytes: number, signal: AbortSignal): Promise<Failed | undefined> {
    const { bytes: quota } = this.#options;
    if (bytes > quota) return failed('size', `The value is larger than the quota of ${quota} bytes.`);
    try {
      return await this.#inTurn(signal, async () => {
        await unlessAborted(this.#makeRoom(bytes), signal);
        if (this.ledger.usedBytes + bytes > quota)
          return failed('full', 'The quota is used up, and nothing could be removed.');
        this.ledger.reserve(key, bytes);
        this.#writtenSince = (this.#writtenSince ?? 0) + bytes;
        return undefined;
      });
    } catch (error) {
      if (signal.aborted) return failed('aborted', 'The call was aborted.');
      if (this.#closing.signal.aborted) return failed('closed', 'It was closed.');
      return failed('io', `The values of the store could not be counted: ${toFailure(error).message}`);
    }
  }

  /** One after the other, in the order of the calls: so that nobody counts on the room that another one makes. */
  async #inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    try {
      await unlessAborted(before, signal);
      return await work();
    } finally {
      void before.then(resolve);
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { bytes: quota } = this.#options;
    if (this.#writtenSince === undefined) await this.#count();
    // A store that cannot be listed now is kept within what is known of it.
    else if (this.#writtenSince > quota * COUNTED_AGAIN) await this.#count().catch(() => undefined);
    const missing = this.ledger.usedBytes + bytes - quota;
    if (missing > 0) await this.#evict(Math.max(missing, quota * FREED));
  }

  /** Removes what was not used for the longest time. What cannot be removed stays, is counted, and is passed over. */
  async #evict(bytes: number): Promise<void> {
    const oldest = this.ledger.entries();
    const { signal } = this.#closing;
    let [left, freed] = [this.ledger.size, 0];
    while (left > 0 && freed < bytes && !signal.aborted) {
      const some: [string, Entry][] = [];
      for (
        let more = bytes - freed;
        left > 0 && more > 0 && some.length < this.#driver.capabilities.batch;
      ) {
        left--;
        const { value, done } = oldest.next();
        if (done) break;
        const [key, entry] = value;
        // What is being written may come after its removal.
        if (this.ledger.isWriting(key)) continue;
        some.push([key, entry]);
        more -= entry.bytes;
      }
      freed += await this.#remove(some);
    }
  }

  /** Returns the bytes that are free then. */
  async #remove(some: readonly [string, Entry][]): Promise<number> {
    if (some.length === 0) return 0;
    const keys = some.map(([key]) => key);
    const results = await this.#driver.remove(keys, this.#closing.signal);
    let freed = 0;
    for (const [i, [key, entry]] of some.entries()) {
      if (results[i]?.status === 'error') {
        this.#stuck.add(key);
        // Others come first the next time.
        this.ledger.used(key);
      } else {
        this.#stuck.delete(key);
        this.ledger.gone(key, entry);
        freed += entry.bytes;
      }
    }
    return freed;
  }

  /** Compares what is known with what the store lists, and removes what is too much. Throws `storage_failed`. */
  #count(): Promise<void> {
    this.#counting ??= this.#list()
      .then(async () => {
        const beyond = this.ledger.usedBytes - this.#options.bytes;
        if (beyond > 0) await this.#evict(beyond);
      })
      .finally(() => {
        this.#counting = undefined;
      });
    return this.#counting;
  }

  async #list(): Promise<void> {
    const { ledger } = this;
    const before = new Map(ledger.entries());
    const writtenBefore = this.#writtenSince ?? 0;
    let cursor: string | undefined;
    do {
      const { keys, bytes, next } = await this.#driver.list!(cursor, this.#closing.signal);
      for (const [i, key] of keys.entries()) {
        if (!this.counts(key) || ledger.isWriting(key)) continue;
        const length = bytes?.[i];
        const known = ledger.get(key);
        // A size that it does not tell is none that is larger than all others: pages of one model are alike.
        if (!known) ledger.put(key, length ?? ledger.largest);
        else if (length !== undefined && known === before.get(key)) ledger.correct(key, length);
        before.delete(key);
      }
      cursor = next;
    } while (cursor !== undefined);
    for (const [key, entry] of before) if (!ledger.isWriting(key)) ledger.gone(key, entry);
    for (const key of this.#stuck) if (!ledger.get(key)) this.#stuck.delete(key);
    this.#writtenSince = (this.#writtenSince ?? 0) - writtenBefore;
  }
}
