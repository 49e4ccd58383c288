import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.ts';

interface Sleeper {
  at: number;
  wake: () => void;
}

/** Time that moves only inside {@link advance}, from one sleeper to the next: a day passes in seconds. */
export class VirtualClock implements Clock {
  readonly #settle: () => Promise<unknown>;
  #now = 0;
  #sleepers: Sleeper[] = [];

  /** @param settle lets everything run that takes no time */
  constructor(settle: () => Promise<unknown> = () => setImmediate()) {
    this.#settle = settle;
  }

  now(): number {
    return this.#now;
  }

  /** How many sleep now. */
  get sleepers(): number {
    return this.#sleepers.length;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper: Sleeper = { at: this.#now + milliseconds, wake: resolve };
      // Equal times wake in the order in which they were asked for.
      const after = this.#sleepers.findIndex((other) => other.at > sleeper.at);
      this.#sleepers.splice(after < 0 ? this.#sleepers.length : after, 0, sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          resolve();
        },
        { once: true },
      );
    });
  }

  /** Lets time pass, and everything that it wakes run, until the time is over. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await this.#settle();
    for (let next = this.#sleepers[0]; next && next.at <= end; next = this.#sleepers[0]) {
      this.#sleepers.shift();
      this.#now = next.at;
      next.wake();
      await this.#settle();
    }
    this.#now = end;
  }
}
