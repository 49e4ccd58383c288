import type { Clock } from '../../shared/clock.ts';
import type { StorageError, StorageErrorKind } from '../driver.ts';
import { textOf } from './trouble.ts';

/** What a store says of one page: it is there, and others may do better. */
const ANSWERS: ReadonlySet<StorageErrorKind> = new Set<StorageErrorKind>(['denied', 'size', 'corrupt']);
/** So many failures in a row are no accident of single pages any more. */
const IN_A_ROW = 64;
/** A store that is away for a moment is waited for, longer each time as long as nothing goes well. */
const PAUSES_MS = [1_000, 5_000, 15_000];

/**
 * Whether to go on with a store. After many failures in a row, and a pause for it to come back, and again, it is given
 * up: of a million pages each would wait for its own deadline.
 */
export class Patience {
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #inARow = 0;
  #pauses = 0;
  #pause: Promise<void> = Promise.resolve();
  #reason = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborts when the store is given up. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Why it was given up. */
  get reason(): string {
    return this.#reason;
  }

  /** Resolves when another page may be tried, at the latest when the signal aborts. */
  async ready(): Promise<void> {
    await this.#pause;
  }

  well(): void {
    this.#inARow = 0;
    this.#pauses = 0;
  }

  /**
   * A page failed.
   *
   * @param signal ends the pause that this may begin
   */
  failed(error: StorageError, signal: AbortSignal): void {
    if (ANSWERS.has(error.kind)) return this.well();
    if (++this.#inARow % IN_A_ROW !== 0) return;
    const milliseconds = PAUSES_MS[this.#pauses++];
    if (milliseconds !== undefined) {
      this.#pause = this.#clock.sleep(milliseconds, signal);
      return;
    }
    this.#reason = `${this.#inARow} failures in a row, the last: ${textOf(error)}`;
    this.#over.abort();
  }
}
