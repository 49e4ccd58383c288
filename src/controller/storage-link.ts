import type { HasResult, Read, ReadResult, StorageDriver, Write, WriteResult } from '../storage/driver.ts';

/** Keys that are known to be stored, at most; what was named last stays. */
const MOST_KNOWN = 1 << 20;

/**
 * A storage backend in use: its driver with all layers around it, what this rank knows of it, and for a while after a
 * switch the backend before it, which answers what this one misses.
 */
export class StorageLink {
  readonly driver: StorageDriver;
  /** Which attachment this is; every one has another number. */
  readonly epoch: number;
  readonly #known = new Set<string>();
  readonly #ended = new AbortController();
  #older: StorageLink | undefined;

  constructor(driver: StorageDriver, epoch: number) {
    this.driver = driver;
    this.epoch = epoch;
  }

  /** Aborts when the backend is not used any more. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  end(): void {
    this.#ended.abort();
    this.#older = undefined;
  }

  /** What this one misses is read from there, until it ends or {@link forgetOlder}. */
  readThrough(older: StorageLink): void {
    this.#older = older;
  }

  forgetOlder(): void {
    this.#older = undefined;
  }

  /** Whether keys are stored here or in the backend before. */
  async has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    const results = await this.driver.has(keys, signal);
    return this.#askOlder(results, (older, missed) =>
      older.driver.has(
        missed.map((i) => keys[i]!),
        signal,
      ),
    );
  }

  /** Reads from here or from the backend before. What was found here is known to be stored from then on. */
  async read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    const results = await this.driver.read(reads, signal);
    for (const [i, { status }] of results.entries()) if (status === 'hit') this.learn(reads[i]!.key);
    return this.#askOlder(results, (older, missed) =>
      older.driver.read(
        missed.map((i) => reads[i]!),
        signal,
      ),
    );
  }

  /** Writes here alone. What was stored is known to be. */
  async write(writes: readonly Write[]): Promise<WriteResult[]> {
    const results = await this.driver.write(writes, this.signal);
    for (const [i, { status }] of results.entries()) if (status !== 'error') this.learn(writes[i]!.key);
    return results;
  }

  /** Whether a key was stored or found. The backend may have evicted it since. */
  knows(key: string): boolean {
    return this.#known.has(key);
  }

  learn(key: string): void {
    this.#known.delete(key);
    this.#known.add(key);
    if (this.#known.size <= MOST_KNOWN) return;
    for (const oldest of this.#known) {
      this.#known.delete(oldest);
      return;
    }
  }

  /** It was not there when it was asked for. */
  unlearn(key: string): void {
    this.#known.delete(key);
  }

  /** Everything may be gone from the backend. */
  unlearnAll(): void {
    this.#known.clear();
  }

  async #askOlder<R extends { status: string }>(
    results: R[],
    ask: (older: StorageLink, missed: number[]) => Promise<R[]>,
  ): Promise<R[]> {
    const older = this.#older;
    const missed = results.flatMap(({ status }, i) => (status === 'miss' ? [i] : []));
    if (!older || older.signal.aborted || missed.length === 0) return results;
    const answers = await ask(older, missed);
    const merged = [...results];
    for (const [n, i] of missed.entries()) merged[i] = answers[n]!;
    return merged;
  }
}
