import type { Clock } from '../../shared/clock.ts';
import { failure, toFailure } from '../../shared/errors.ts';
import type {
  OperationMode,
  StorageAction,
  StorageChange,
  StorageSettings,
} from '../../shared/storage-messages.ts';
import { whatBlocks } from '../../shared/what-blocks.ts';
import { askAll, askRank, OperationFailure, type RankMessage, type StorageRank } from './rank-answers.ts';

/** Ranks end an operation by themselves so long after its time is over; by then it was decided here. */
export const EXPIRY_MS = 5_000;
/** Of an operation's time, what is kept for its second step. */
const COMMIT_SHARE = 0.25;
const MOST_COMMIT_MS = 3_000;
const COMMIT_ATTEMPTS = 3;
/** What is being written to a backend that is detached may go on for so long. */
const GRACE_MS = 2_000;
/** Nobody waits for the answers to an abort. */
const ABORT_MS = 2_000;
/** Of the time for the second step, when it comes to nothing. */
const INSPECT_MS = 500;

const DONE: Record<StorageAction, string> = {
  attach: 'attached',
  switch: 'switched',
  update: 'attached already; policies updated',
  detach: 'detached',
  none: 'nothing was attached',
};

export interface TwoStepsOptions {
  ranks: readonly StorageRank[];
  clock: Clock;
  operation: number;
  mode: OperationMode;
  change: StorageChange;
  fingerprint: string;
  timeoutMs: number;
  /** When its time is over, by the clock. */
  until: number;
}

/** What a rank is ready to do. */
interface Ready {
  action: StorageAction;
  settings: StorageSettings;
}

/** One change on all ranks: prepared on all of them, then committed on all, or aborted on all. */
export class TwoSteps {
  readonly #options: TwoStepsOptions;
  readonly #commitMs: number;

  constructor(options: TwoStepsOptions) {
    this.#options = options;
    this.#commitMs = Math.min(MOST_COMMIT_MS, options.timeoutMs * COMMIT_SHARE);
  }

  /**
   * The first step. Rejects with an {@link OperationFailure}; then no rank has changed anything, and what some of them
   * have prepared is taken back.
   */
  async prepare(): Promise<Ready[]> {
    const { ranks, clock, operation, mode, change, fingerprint, timeoutMs } = this.#options;
    const order = { operation, epoch: operation, mode, change, fingerprint };
    const request = { kind: 'prepare', ...order, milliseconds: timeoutMs + EXPIRY_MS } as const;
    try {
      const ready = await askAll(ranks, request, 'prepared', this.#left() - this.#commitMs, clock);
      if (mode === 'drain') await this.#drain();
      return ready;
    } catch (error) {
      // What a rank does not hear of it does by itself when the time is over.
      for (const rank of ranks) rank.storage({ kind: 'abort', operation }, ABORT_MS).catch(() => undefined);
      throw error;
    }
  }

  /** The second step, after it was decided: a rank that does not follow is started again, and then does. */
  commit(ready: readonly Ready[]): Promise<RankMessage[]> {
    return Promise.all(
      this.#options.ranks.map((rank, i) => this.#commitOn(rank, DONE[ready[i]?.action ?? 'none'])),
    );
  }

  /** Waits until every rank is idle; says what keeps one from it when that takes too long. */
  async #drain(): Promise<void> {
    const { ranks, clock, operation } = this.#options;
    const deadlineMs = this.#left() - this.#commitMs;
    try {
      await askAll(ranks, { kind: 'hold', operation }, 'done', deadlineMs, clock);
    } catch (error) {
      if (!(error instanceof OperationFailure) || error.code !== 'deadline_exceeded') throw error;
      const blockers = await Promise.all(ranks.map(blockersOf));
      const what = `Waiting for the scheduler to be idle (blocked-by: ${blockers.filter(Boolean).join('; ')})`;
      const late = failure('deadline_exceeded', { what, seconds: Math.round(deadlineMs / 100) / 10 });
      throw new OperationFailure(late, error.ranks);
    }
  }

  async #commitOn(rank: StorageRank, done: string): Promise<RankMessage> {
    const { operation } = this.#options;
    const said = (message: string): RankMessage => ({ rank: rank.index, ok: true, message });
    const graceMilliseconds = Math.min(GRACE_MS, this.#left());
    const request = { kind: 'commit', operation, graceMilliseconds } as const;
    for (let attempt = 0; attempt < COMMIT_ATTEMPTS; attempt++) {
      try {
        await askRank(rank, request, 'done', this.#commitMs / COMMIT_ATTEMPTS);
        return said(await this.#settle(rank, done));
      } catch (error) {
        const { code } = toFailure(error);
        // Its process has ended: the next one joins.
        if (code === 'no_rank' || code === 'rank_failed')
          return said(`${done}, when it comes back: it ended meanwhile`);
        if (code !== 'deadline_exceeded') break;
      }
    }
    rank.restart('it did not carry out what was decided');
    return said(`${done}, when it comes back: it did not answer and is started again`);
  }

  /** Waits for what was detached to be closed, as long as there is time. */
  async #settle(rank: StorageRank, done: string): Promise<string> {
    try {
      await askRank(rank, { kind: 'settle' }, 'done', this.#left());
      return done;
    } catch {
      return `${done}; the backend before is still being closed`;
    }
  }

  #left(): number {
    return Math.max(0, this.#options.until - this.#options.clock.now());
  }
}

async function blockersOf(rank: StorageRank): Promise<string> {
  const report = await rank.inspect(INSPECT_MS).catch(() => undefined);
  const blockers = report ? whatBlocks(report) : ['no answer'];
  return blockers.length > 0 ? `rank ${rank.index}: ${blockers.join(', ')}` : '';
}
