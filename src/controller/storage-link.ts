import type { StorageDriver } from '../storage/driver.ts';

/** Keys that are known to be stored, at most; what was named last stays. */
const MOST_KNOWN = 1 << 20;

/** A storage backend in use: its driver with all layers around it, and what this rank knows of it. */
export class StorageLink {
  readonly driver: StorageDriver;
  /** Which attachment this is; every one has another number. */
  readonly epoch: number;
  readonly #known = new Set<string>();
  readonly #ended = new AbortController();

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
}
