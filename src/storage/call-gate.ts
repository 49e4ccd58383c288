import { type Limiter, unlessAborted } from './concurrency.ts';
import type { Failed } from './driver.ts';
import { isKey, notAKey } from './keys.ts';
import { failed } from './results.ts';

interface Keyed {
  key: string;
}

interface GateOptions {
  /** What a key that threw fails with, but for what the signals explain. */
  failedBy: (error: unknown) => Failed;
}

/**
 * What every driver does around its work: refuses before {@link open} and after {@link close}, refuses what is no key,
 * hears the signal, makes results of what is thrown, and knows what is still running. Its calls never reject.
 */
export class CallGate {
  readonly #failedBy: (error: unknown) => Failed;
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  #isOpen = false;

  constructor({ failedBy }: GateOptions) {
    this.#failedBy = failedBy;
  }

  open(): void {
    this.#isOpen = true;
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.closing.aborted;
  }

  /** Aborts when the driver closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends every call, and resolves when nothing of them is left. May be called again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
  }

  /** For stores that are asked key by key: does so, as many at a time as the limit lets. */
  async each<T extends Keyed, R>(
    items: readonly T[],
    signal: AbortSignal,
    limit: Limiter,
    work: (item: T, signal: AbortSignal) => Promise<R>,
  ): Promise<(R | Failed)[]> {
    if (!this.isOpen) return items.map(notOpen);
    const both = AbortSignal.any([signal, this.closing]);
    const one = async (item: T): Promise<R | Failed> => {
      if (!isKey(item.key)) return notAKey();
      try {
        return await limit(() => work(item, both), both);
      } catch (error) {
        return this.#explain(error, signal);
      }
    };
    return this.#run(Promise.all(items.map(one)));
  }

  /**
   * For stores that are asked for many keys at once.
   *
   * @param work answers for the items it gets, in their order. What it began and cannot stop when the signal aborts may
   *   go on: the answer is given meanwhile, and {@link Failed.settled} waits for the work
   */
  async batch<T extends Keyed, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (items: readonly T[], signal: AbortSignal) => Promise<R[]>,
  ): Promise<(R | Failed)[]> {
    if (!this.isOpen) return items.map(notOpen);
    const good = items.filter(({ key }) => isKey(key));
    const answers = await this.#whole(good, signal, work);
    let next = 0;
    return items.map(({ key }) => (isKey(key) ? answers[next++]! : notAKey()));
  }

  async #whole<T, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (items: readonly T[], signal: AbortSignal) => Promise<R[]>,
  ): Promise<(R | Failed)[]> {
    if (items.length === 0) return [];
    const both = AbortSignal.any([signal, this.closing]);
    if (both.aborted) return items.map(() => this.#explain(both.reason, signal));
    const working = this.#run(work(items, both));
    try {
      return await unlessAborted(working, both);
    } catch (error) {
      const result = this.#explain(error, signal);
      const settled = working.then(nothing, nothing);
      return items.map(() => (both.aborted ? { ...result, settled } : result));
    }
  }

  #run<R>(work: Promise<R>): Promise<R> {
    this.#running.add(work);
    const done = () => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }

  #explain(error: unknown, signal: AbortSignal): Failed {
    if (this.closing.aborted) return failed('closed', 'It was closed.');
    if (signal.aborted) return failed('aborted', 'The call was aborted.');
    return this.#failedBy(error);
  }
}

const nothing = () => undefined;

function notOpen(): Failed {
  return failed('closed', 'It is not open.');
}
