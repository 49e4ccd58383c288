import type { Clock } from '../shared/clock.ts';
import { failure } from '../shared/errors.ts';
import type {
  AttachmentState,
  BreakerState,
  Cleared,
  ClearScope,
  StorageCheck,
} from '../shared/storage-messages.ts';
import type { Usage } from '../storage/driver.ts';
import { clearStore } from '../storage/maintenance/clear-store.ts';
import type { StorageStack } from '../storage/stack.ts';
import { tryStore } from '../storage/try-store.ts';
import type { AttachmentCounts } from './attachment-counts.ts';
import { AttachmentLife } from './attachment-states.ts';
import { StorageLink } from './storage-link.ts';

export interface AttachmentOptions {
  /** The factory's name of the backend. */
  backend: string;
  stack: StorageStack;
  /** Counts what the stack does. */
  counts: AttachmentCounts;
  epoch: number;
  /** Bytes of a page. */
  pageBytes: number;
  clock: Clock;
  /** A message without the secrets of its configuration. */
  scrub: (text: string) => string;
}

interface ReadThrough {
  milliseconds: number;
  over: () => void;
}

/** One backend from the wish to use it to its end. It owns the driver: {@link drain} is the one way to let go of it. */
export class Attachment {
  readonly backend: string;
  readonly epoch: number;
  readonly counts: AttachmentCounts;
  /** For who reads and writes pages, once it is attached. */
  readonly link: StorageLink;
  readonly #options: AttachmentOptions;
  readonly #life = new AttachmentLife();
  /** Ends the time for which it is still read from after it was replaced. */
  readonly #readNoMore = new AbortController();
  #attachedAt: number | undefined;
  #drained: Promise<void> | undefined;

  constructor(options: AttachmentOptions) {
    this.#options = options;
    this.backend = options.backend;
    this.epoch = options.epoch;
    this.counts = options.counts;
    this.link = new StorageLink(options.stack.pages, options.epoch);
  }

  get state(): AttachmentState {
    return this.#life.state;
  }

  /** Unix time in milliseconds. */
  get attachedAt(): number | undefined {
    return this.#attachedAt;
  }

  get breaker(): BreakerState {
    return this.#options.stack.breaker.state;
  }

  /** Reads and writes nothing any more, until it is let. */
  holdBreaker(): void {
    this.#options.stack.breaker.hold();
  }

  releaseBreaker(): void {
    this.#options.stack.breaker.release();
  }

  usage(): Usage | undefined {
    return this.#options.stack.pages.usage?.();
  }

  /**
   * Opens the store and tries it out, in steps. Throws `storage_failed` with the step that failed; then it is closed.
   * Nothing reads or writes pages in it yet.
   */
  async prepare(signal: AbortSignal): Promise<void> {
    this.#life.go('preparing');
    const checks = await this.try(signal);
    const failed = checks.find(({ ok }) => !ok);
    if (!failed && !signal.aborted) return this.#life.go('prepared');
    this.#life.go('failed');
    // Not waited for: a store that hangs when it opens may hang when it closes.
    void this.#close();
    const reason = failed ? `${failed.name}: ${failed.detail}` : 'it was given up';
    throw failure('storage_failed', { backend: this.backend, reason });
  }

  /** The steps of {@link prepare} by themselves, for who only wants to know. The caller drains or has prepared it. */
  async try(signal: AbortSignal): Promise<StorageCheck[]> {
    const { stack, pageBytes, clock, scrub } = this.#options;
    const checks = await tryStore(stack, pageBytes, clock, signal);
    return checks.map((check) => ({ ...check, detail: scrub(check.detail) }));
  }

  /** Removes the pages of the served model, or of every model, from the store. Answers truthfully, also when cut short. */
  clear(scope: ClearScope, signal: AbortSignal): Promise<Cleared> {
    const { stack, scrub } = this.#options;
    const driver = scope === 'model' ? stack.unguarded : stack.store;
    return clearStore(driver, scope, signal).then((cleared) => ({
      ...cleared,
      problem: cleared.problem && scrub(cleared.problem),
    }));
  }

  /** From now on pages are read and written. Cannot fail. */
  commit(): void {
    this.#life.go('attached');
    this.#attachedAt = Date.now();
    // A store with a quota counts a namespace from its first use on: so that this is now, and not at the first miss.
    void this.link.driver.has(['0'], this.link.signal);
  }

  /**
   * Lets go of the store: at once when it was never attached; otherwise what is under way has the grace period to end,
   * then it is aborted. Whoever holds {@link link} must have been told already. Never throws; the same promise again
   * for who asks again.
   *
   * @param readThrough for so long it can still be read from, and is told when that is over
   */
  drain(graceMs: number, readThrough?: ReadThrough): Promise<void> {
    this.#drained ??= this.#drain(graceMs, readThrough);
    return this.#drained;
  }

  /** Ends {@link drain}'s time of reading through. */
  readNoMore(): void {
    this.#readNoMore.abort();
  }

  async #drain(graceMs: number, readThrough: ReadThrough | undefined): Promise<void> {
    const { clock } = this.#options;
    const { state } = this;
    if (state === 'detached' || state === 'preparing' || state === 'failed') return this.#close();
    this.#life.go('draining');
    if (readThrough) {
      await clock.sleep(readThrough.milliseconds, this.#readNoMore.signal);
      readThrough.over();
    }
    const idle = new AbortController();
    const late = clock.sleep(graceMs, idle.signal);
    await Promise.race([this.counts.idle(), late]);
    idle.abort();
    await this.#close();
    this.#life.go('detached');
  }

  async #close(): Promise<void> {
    this.link.end();
    await this.#options.stack.store.close();
  }
}
