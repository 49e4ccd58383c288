import type { Clock } from '../../shared/clock.ts';

/** So much of an idle time can be made up for: timers wake late, and what they lose would never come back. */
const BURST_MS = 100;

/**
 * Bounds bytes over time. In any stretch of time no more pass than the rate allows for it and a tenth of a second more,
 * and one piece, however large it is.
 */
export class RateLimit {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When everything that was let pass has been earned, in the clock's milliseconds. */
  #earnedAt: number;

  /** @param bytesPerSecond may be `Infinity` */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#earnedAt = clock.now();
  }

  /** Resolves when these bytes may pass, in the order of the calls, or when the signal aborts. Never rejects. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const milliseconds = (1000 * bytes) / this.#bytesPerSecond;
    this.#earnedAt = Math.max(this.#earnedAt, now - BURST_MS) + milliseconds;
    if (this.#earnedAt > now) await this.#clock.sleep(this.#earnedAt - now, signal);
  }
}
