import type { Clock } from '../../../shared/clock.ts';

/** Keys that wait, at most. */
const MOST = 10_000;
const LONGEST_WAIT_MS = 60_000;
/** A write waits no longer: the other writes of its call wait for it. */
const WORTH_WAITING_MS = 2_000;
/** Then the value is there again for who looks, and can be removed again. */
const ATTEMPTS = 8;

export interface RemovalsOptions {
  clock: Clock;
  /** Whether the store has let go of the value, or never had it. Must not reject. */
  tryToRemove: (key: string) => Promise<boolean>;
  /** Ends everything. */
  closing: AbortSignal;
  firstWaitMs: number;
}

/**
 * Values that are removed as far as this driver is concerned, and that the store still keeps: it keeps what was looked
 * at or read for some seconds, its lease, and to ask it why makes the lease new.
 */
export class Removals {
  readonly #options: RemovalsOptions;
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Removes it later; false when too many wait already. */
  add(key: string): boolean {
    if (this.#waiting.size >= MOST) return false;
    const done = this.#remove(key).finally(() => this.#waiting.delete(key));
    this.#waiting.set(key, done);
    return true;
  }

  /** Whether the key can be written, as far as is known; waits a little for that, or until the signal aborts. */
  async over(key: string, signal: AbortSignal): Promise<boolean> {
    const removal = this.#waiting.get(key);
    if (!removal) return true;
    const answered = new AbortController();
    const either = AbortSignal.any([signal, answered.signal]);
    await Promise.race([removal, this.#options.clock.sleep(WORTH_WAITING_MS, either)]);
    answered.abort();
    return !this.#waiting.has(key);
  }

  /** Resolves when nothing waits any more; only after `closing`. */
  async settled(): Promise<void> {
    await Promise.all(this.#waiting.values());
  }

  async #remove(key: string): Promise<void> {
    const { clock, tryToRemove, closing, firstWaitMs } = this.#options;
    let wait = firstWaitMs;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await clock.sleep(wait, closing);
      if (closing.aborted || (await tryToRemove(key))) return;
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    }
  }
}
