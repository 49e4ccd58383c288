import type { Clock } from '../../../shared/clock.ts';
import type { BreakerState } from '../../../shared/storage-messages.ts';
import { RecentCalls } from './recent-calls.ts';

/** When it opens by itself, and how soon it tries again. Times are in seconds. */
export interface BreakerSettings {
  failures: number;
  error_rate: number;
  window: number;
  backoff: number;
  max_backoff: number;
}

export interface BreakerOptions {
  clock: Clock;
  /** Undefined where it never opens by itself. */
  settings: BreakerSettings | undefined;
  /** Asks the store something, past the breaker: whether it answers. Never rejects. */
  probe: (signal: AbortSignal) => Promise<boolean>;
  /** From 0 to 1, exclusive. */
  random: () => number;
  /** Told whenever it has closed again. Must not throw. */
  onClosed: () => void;
}

/**
 * Every way from one state to the next. There is no other place that says so.
 *
 * ```
 * closed → open ⇄ half-open → closed
 *    └──────┴─────────┴─→ held → half-open or closed
 * ```
 */
const NEXT: Record<BreakerState, readonly BreakerState[]> = {
  closed: ['open', 'held'],
  open: ['half-open', 'held'],
  'half-open': ['closed', 'open', 'held'],
  held: ['half-open', 'closed'],
};

/** Fewer calls than this are no rate. */
const LEAST_CALLS = 10;
/** The part of a wait that is left to chance, so that not everybody asks a store again at the same moment. */
const JITTER = 0.5;

/**
 * Decides whether a store is asked at all. It opens where calls fail; then nobody waits for the store, but for one probe
 * now and then, and the first one that is answered closes it. An operator may hold it open.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  readonly #recent: RecentCalls;
  #state: BreakerState = 'closed';
  /** Counts the times that it closed: a call that began before the last one says nothing of the store now. */
  #period = 0;
  #closedAt = Number.NEGATIVE_INFINITY;
  /** Failed calls since one that did not fail. */
  #inARow = 0;
  /** Times that it opened, or stayed open, without a quiet while in between. */
  #attempts = 0;
  /** Ends the waiting and the probe that are under way. */
  #recovery = new AbortController();
  #ended = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#recent = new RecentCalls((options.settings?.window ?? 1) * 1000);
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether calls go to the store. What was ended lets them through: the store says by itself that it is closed. */
  get letsThrough(): boolean {
    return this.#state === 'closed' || this.#ended;
  }

  /** What a call that begins now is to give to {@link called} when it ends. */
  get period(): number {
    return this.#period;
  }

  /** A call has ended that began in that period. */
  called(period: number, failed: boolean): void {
    const { settings, clock } = this.#options;
    if (!settings || this.#state !== 'closed' || period !== this.#period || this.#ended) return;
    const now = clock.now();
    this.#inARow = failed ? this.#inARow + 1 : 0;
    this.#recent.add(failed, now);
    if (!failed) return;
    const { calls, failed: failures } = this.#recent.tally(now);
    const tooMany = calls >= LEAST_CALLS && failures >= settings.error_rate * calls;
    if (this.#inARow < settings.failures && !tooMany) return;
    if (now - this.#closedAt >= settings.window * 1000) this.#attempts = 0;
    this.#go('open');
    void this.#recover(settings);
  }

  /** Lets nothing through until {@link release}, and does not ask the store either. */
  hold(): void {
    if (this.#state === 'held') return;
    this.#recovery.abort();
    this.#go('held');
  }

  /** Ends {@link hold}: the store is asked, and decides. Where nothing is held it changes nothing. */
  release(): void {
    if (this.#state !== 'held') return;
    const { settings } = this.#options;
    if (!settings) return this.#close();
    this.#attempts = 0;
    this.#go('half-open');
    void this.#recover(settings);
  }

  /** Ends for good, with everything that waits. */
  end(): void {
    this.#ended = true;
    this.#recovery.abort();
  }

  /** Asks the store until it answers: at once where it is half open, else after a while. */
  async #recover(settings: BreakerSettings): Promise<void> {
    const { clock, probe } = this.#options;
    this.#recovery = new AbortController();
    const { signal } = this.#recovery;
    while (!this.#ended) {
      if (this.#state === 'open') {
        await clock.sleep(this.#wait(settings), signal);
        if (signal.aborted) return;
        this.#go('half-open');
      }
      const answered = await probe(signal);
      if (signal.aborted) return;
      if (answered) return this.#close();
      this.#go('open');
    }
  }

  /** Milliseconds until the next probe: twice as long each time, up to a limit. */
  #wait({ backoff, max_backoff }: BreakerSettings): number {
    const seconds = Math.min(backoff * 2 ** this.#attempts++, max_backoff);
    return 1000 * seconds * (1 - JITTER * this.#options.random());
  }

  #close(): void {
    this.#go('closed');
    this.#period++;
    this.#closedAt = this.#options.clock.now();
    this.#inARow = 0;
    this.#recent.clear();
    this.#options.onClosed();
  }

  #go(next: BreakerState): void {
    if (!NEXT[this.#state].includes(next))
      throw new Error(`A breaker does not go from ${this.#state} to ${next}.`);
    this.#state = next;
  }
}
