import type { Clock } from '../../shared/clock.ts';
import { failure, toFailure } from '../../shared/errors.ts';
import type {
  AttachChange,
  BreakerOrder,
  ClearScope,
  StorageChange,
  StorageCheck,
  StorageSettings,
} from '../../shared/storage-messages.ts';
import { checkMessage, mergeChecks } from './merge-checks.ts';
import type {
  ClearedRank,
  OperationOrder,
  OperationRecord,
  OperationReport,
  RankStorage,
} from './operation.ts';
import { OperationLock, type RunningOperation } from './operation-lock.ts';
import { askAll, askRank, OperationFailure, type RankMessage, type StorageRank } from './rank-answers.ts';
import { EXPIRY_MS, TwoSteps } from './two-steps.ts';

export interface StorageCoordinatorOptions {
  ranks: () => readonly StorageRank[];
  clock: Clock;
  /** In effect on ranks that start, before anything was changed. */
  settings: StorageSettings;
  /** The model's; made when a backend is first wanted. */
  fingerprint: () => Promise<string>;
  /** Hears of every operation that ended, for the log and metrics. Must not throw. */
  onEnded: (record: OperationRecord) => void;
  /** A rank serves, and could not take what the others have in effect. */
  onUnrestored: (rank: number, reason: string) => void;
}

/** An operation that does not mind whether anything runs. */
type PlainOrder = Omit<OperationOrder, 'mode'>;

/** Of the time for a question, what a rank may take: it then still answers. */
const ANSWER_SHARE = 0.75;
const STATUS_MS = 2_000;
/** A rank that starts waits for its storage no longer. */
const JOIN_MS = 5_000;
/** It has nothing else to do then. */
const COMMIT_MS = 3_000;

/**
 * Changes the storage of all ranks or of none: prepared on all, then committed on all, else aborted on all. What was
 * decided is remembered for ranks that come back. Nothing here takes longer than its deadline.
 */
export class StorageCoordinator {
  readonly #options: StorageCoordinatorOptions;
  readonly #lock = new OperationLock();
  #decided: StorageSettings;
  #epoch = 0;
  /** Whether the breakers of what is attached are held open; ranks that come back hold theirs, too. */
  #held = false;
  #lastOperation = 0;

  constructor(options: StorageCoordinatorOptions) {
    this.#options = options;
    this.#decided = options.settings;
  }

  /** What ranks that start are to have in effect. May hold secrets. */
  get decided(): Readonly<StorageSettings> {
    return this.#decided;
  }

  /** Rejects with {@link OperationFailure}, `operation_in_progress`, `no_rank` or `deadline_exceeded`. */
  attach(change: AttachChange, order: OperationOrder): Promise<OperationReport> {
    const kind = change.replace ? 'switch' : 'attach';
    return this.#run(kind, change.backend, order, (id, until) => this.#change(id, change, order, until));
  }

  /** As {@link attach}; nothing attached is no failure. */
  detach(order: OperationOrder): Promise<OperationReport> {
    return this.#run('detach', undefined, order, (id, until) =>
      this.#change(id, { kind: 'detach' }, order, until),
    );
  }

  /** Removes stored pages, rank after rank: they may share a store or have one each. */
  clear(scope: ClearScope, order: PlainOrder): Promise<OperationReport<ClearedRank>> {
    return this.#run('clear', undefined, order, (_, until) => this.#clear(scope, until));
  }

  /** Holds the breakers of all ranks open, or lets them decide again. To repeat it does no harm. */
  setBreakers(state: BreakerOrder, order: PlainOrder): Promise<OperationReport> {
    return this.#run(`breaker_${state}`, undefined, order, async (_, until) => {
      const ranks = this.#serving();
      const request = { kind: 'breaker', state } as const;
      await askAll(ranks, request, 'done', this.#left(until), this.#options.clock);
      this.#held = state === 'open';
      const message = this.#held ? 'held open' : 'opens and closes by itself';
      return ranks.map(({ index }) => ({ rank: index, ok: true, message }));
    });
  }

  /** Tries a backend out on every rank. Changes nothing, and does not mind other operations. */
  async check(change: AttachChange, order: PlainOrder): Promise<StorageCheck[]> {
    const { checks } = await this.#recorded('check', change.backend, order, async () => {
      const ranks = this.#serving();
      const { timeoutMs } = order;
      const request = { kind: 'check', change, milliseconds: timeoutMs * ANSWER_SHARE } as const;
      const answers = await askAll(ranks, request, 'checked', timeoutMs, this.#options.clock);
      const checked = answers.map(({ checks }, i) => ({ rank: ranks[i]?.index ?? i, checks }));
      return { checks: mergeChecks(checked), ranks: checked.map(checkMessage) };
    });
    return checks;
  }

  get operation(): RunningOperation | undefined {
    return this.#lock.current;
  }

  /** What is in effect, from the ranks themselves. */
  async status(): Promise<RankStorage[]> {
    return Promise.all(
      this.#options.ranks().map(async (rank) => {
        const { index, state } = rank;
        try {
          const { status } = await askRank(rank, { kind: 'status' }, 'status', STATUS_MS);
          return { rank: index, state: status.state, status };
        } catch (error) {
          const isDisabled = toFailure(error).code === 'hierarchical_cache_disabled';
          const why = isDisabled ? 'disabled' : state === 'ready' ? 'no answer' : state;
          return { rank: index, state: why, status: undefined };
        }
      }),
    );
  }

  /**
   * Brings a rank that has started to what was decided, before it serves. Where its storage cannot be had, it serves
   * without; attaching the same backend again gives it back. Never rejects.
   */
  join(rank: StorageRank, ready: () => void): Promise<void> {
    return this.#lock.join(async () => {
      const operation = ++this.#lastOperation;
      try {
        await this.#restore(rank, operation);
      } catch (error) {
        const { code, message } = toFailure(error);
        rank.storage({ kind: 'abort', operation }, STATUS_MS).catch(() => undefined);
        if (code !== 'hierarchical_cache_disabled') this.#options.onUnrestored(rank.index, message);
      }
      ready();
    });
  }

  async #restore(rank: StorageRank, operation: number): Promise<void> {
    const until = this.#options.clock.now() + JOIN_MS;
    const settings = this.#decided;
    const fingerprint =
      settings.backend === null
        ? ''
        : await this.#within(this.#options.fingerprint(), until, 'The fingerprint');
    const request = {
      kind: 'prepare',
      operation,
      epoch: this.#epoch,
      mode: 'live',
      change: { kind: 'restore', settings },
      fingerprint,
      milliseconds: JOIN_MS + EXPIRY_MS,
    } as const;
    await askRank(rank, request, 'prepared', this.#left(until));
    const commit = { kind: 'commit', operation, graceMilliseconds: 0 } as const;
    await askRank(rank, commit, 'done', COMMIT_MS);
    if (this.#held) await askRank(rank, { kind: 'breaker', state: 'open' }, 'done', COMMIT_MS);
  }

  /** One at a time. */
  #run<R extends RankMessage>(
    kind: string,
    backend: string | undefined,
    order: PlainOrder & Partial<OperationOrder>,
    work: (id: number, until: number) => Promise<R[]>,
  ): Promise<OperationReport<R>> {
    return this.#recorded(kind, backend, order, (operation, until) =>
      this.#lock.run(operation, async (joined) => {
        await this.#within(joined, until, 'Waiting for a rank to start');
        return { ranks: await work(operation.id, until) };
      }),
    );
  }

  /** Tells how an operation ended, whatever came of it. */
  async #recorded<T extends { ranks: readonly RankMessage[] }>(
    kind: string,
    backend: string | undefined,
    { mode, by, timeoutMs }: PlainOrder & Partial<OperationOrder>,
    work: (operation: RunningOperation, until: number) => Promise<T>,
  ): Promise<T & { id: number; milliseconds: number }> {
    const { clock, onEnded } = this.#options;
    const id = ++this.#lastOperation;
    const operation = { id, kind, backend, mode, startedAt: Date.now() };
    const began = clock.now();
    const ended = (outcome: string, ranks: readonly RankMessage[]) => {
      const milliseconds = clock.now() - began;
      onEnded({ operation, by, outcome, milliseconds, ranks });
      return milliseconds;
    };
    try {
      const done = await work(operation, began + timeoutMs);
      const failed = done.ranks.some(({ ok }) => !ok);
      return { ...done, id, milliseconds: ended(failed ? 'failed' : 'ok', done.ranks) };
    } catch (error) {
      ended(toFailure(error).code, error instanceof OperationFailure ? error.ranks : []);
      throw error;
    }
  }

  async #change(
    id: number,
    change: StorageChange,
    { mode, timeoutMs }: OperationOrder,
    until: number,
  ): Promise<RankMessage[]> {
    const fingerprint =
      change.kind === 'detach'
        ? ''
        : await this.#within(this.#options.fingerprint(), until, 'The fingerprint');
    const ranks = this.#serving();
    const { clock } = this.#options;
    const order = { operation: id, mode, change, fingerprint, timeoutMs, until };
    const steps = new TwoSteps({ ranks, clock, ...order });
    const ready = await steps.prepare();
    const [first] = ready;
    if (!first) throw failure('no_rank', undefined);
    // From here on it is decided.
    this.#decided = first.settings;
    if (ready.some(({ action }) => action === 'attach' || action === 'switch')) this.#epoch = id;
    // What is attached by then has a breaker of its own.
    if (ready.some(({ action }) => action !== 'update' && action !== 'none')) this.#held = false;
    return steps.commit(ready);
  }

  async #clear(scope: ClearScope, until: number): Promise<ClearedRank[]> {
    const ranks: ClearedRank[] = [];
    for (const rank of this.#serving()) {
      const left = Math.max(0, this.#left(until));
      const request = { kind: 'clear', scope, milliseconds: left * ANSWER_SHARE } as const;
      const { removed, failed, problem } = await askRank(rank, request, 'cleared', left).catch(
        (error: unknown) => {
          throw new OperationFailure(toFailure(error), ranks);
        },
      );
      const message =
        problem === null
          ? `removed ${removed} pages`
          : `removed ${removed} pages, failed on ${failed}: ${problem}`;
      ranks.push({ rank: rank.index, ok: problem === null, message, removed });
      if (problem === null) continue;
      const all = ranks.reduce((sum, each) => sum + each.removed, 0);
      throw new OperationFailure(failure('storage_not_cleared', { removed: all, problem }), ranks);
    }
    return ranks;
  }

  /** Throws `no_rank` when there is none. Those that start now join when the operation has ended. */
  #serving(): StorageRank[] {
    const ranks = this.#options.ranks().filter(({ state }) => state === 'ready');
    if (ranks.length === 0) throw failure('no_rank', undefined);
    return ranks;
  }

  #left(until: number): number {
    return until - this.#options.clock.now();
  }

  async #within<T>(work: Promise<T>, until: number, what: string): Promise<T> {
    const left = Math.max(0, this.#left(until));
    const timer = new AbortController();
    const late = this.#options.clock.sleep(left, timer.signal).then(() => {
      if (!timer.signal.aborted) throw failure('deadline_exceeded', { what, seconds: left / 1000 });
    });
    try {
      await Promise.race([work, late]);
      return await work;
    } finally {
      timer.abort();
    }
  }
}
