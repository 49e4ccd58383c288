import type { KeyedOperation } from '../storage/driver.ts';
import { type CallReport, failuresOf, type StorageObserver } from '../storage/layers/observe.ts';

/** What one attachment has done so far: for its status, and for who waits until it does nothing. */
export class AttachmentCounts implements StorageObserver {
  pagesRead = 0;
  pagesWritten = 0;
  /** Keys that failed. */
  errors = 0;
  lastError: string | undefined;
  /** Whether calls fail: what began before the last one that did not says nothing of the store now. */
  failing = false;
  /** When the last call began that did not fail. */
  #wellAt = Number.NEGATIVE_INFINITY;
  readonly #also: StorageObserver;
  readonly #scrub: (text: string) => string;
  #running = 0;
  #whenIdle: (() => void)[] = [];

  /**
   * @param also hears of every call, too
   * @param scrub takes secrets out of messages
   */
  constructor(also: StorageObserver, scrub: (text: string) => string) {
    this.#also = also;
    this.#scrub = scrub;
  }

  started(operation: KeyedOperation): void {
    this.#running++;
    this.#also.started(operation);
  }

  ended(operation: KeyedOperation, call: CallReport): void {
    this.#also.ended(operation, call);
    this.#count(operation, call);
    if (--this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #count(operation: KeyedOperation, call: CallReport): void {
    const { outcomes, error } = call;
    if (operation === 'read') this.pagesRead += outcomes.get('hit') ?? 0;
    if (operation === 'write') this.pagesWritten += outcomes.get('stored') ?? 0;
    const failures = failuresOf(call);
    for (const [, keys] of failures) this.errors += keys;
    // A call that was aborted says nothing of the store.
    if (error?.kind === 'aborted') return;
    if (failures.length === 0) this.#wellAt = Math.max(this.#wellAt, call.began);
    this.failing = failures.length > 0 && call.began >= this.#wellAt;
    if (error) this.lastError = this.#scrub(`${operation}: ${error.kind}: ${error.message}`);
  }
}
