import type { Clock } from '../../shared/clock.ts';
import { Failure, failure, isErrorCode, toFailure } from '../../shared/errors.ts';
import type { RankReport } from '../../shared/messages.ts';
import type { StorageAnswer, StorageRequest } from '../../shared/storage-messages.ts';

/** What the coordinator needs of a rank. */
export interface StorageRank {
  readonly index: number;
  readonly state: string;
  /** Rejects with `no_rank`, `rank_failed` or `deadline_exceeded`. */
  storage(request: StorageRequest, deadlineMs: number): Promise<StorageAnswer>;
  inspect(deadlineMs: number): Promise<RankReport>;
  /** Ends the rank's process; it comes back and joins. */
  restart(reason: string): void;
}

/** What one rank says of an operation. */
export interface RankMessage {
  rank: number;
  ok: boolean;
  message: string;
}

/** An operation that did not happen: on no rank is anything changed. Says what every rank answered until then. */
export class OperationFailure extends Failure {
  readonly ranks: readonly RankMessage[];

  constructor(reason: Failure, ranks: readonly RankMessage[], message = reason.message) {
    super(reason.code, message, { cause: reason.cause, details: { ...reason.details, ranks } });
    this.ranks = ranks;
  }
}

type Kind = StorageAnswer['kind'];
type Answer<K extends Kind> = Extract<StorageAnswer, { kind: K }>;

/** Asks a rank, and throws what it refuses with. */
export async function askRank<K extends Kind>(
  rank: StorageRank,
  request: StorageRequest,
  kind: K,
  deadlineMs: number,
): Promise<Answer<K>> {
  const answer = await rank.storage(request, Math.max(0, deadlineMs));
  if (isOfKind(answer, kind)) return answer;
  if (answer.kind !== 'refused') throw failure('internal', undefined);
  throw isErrorCode(answer.code) ? new Failure(answer.code, answer.message) : failure('internal', undefined);
}

/** After one rank has failed, how long the others are still listened to: most fail for the same reason. */
const OTHERS_MS = 100;

/**
 * Asks all ranks at the same time. Soon after one of them has failed, so does this, with an {@link OperationFailure} that
 * says what each of them answered; one that hangs is not waited for.
 */
export async function askAll<K extends Kind>(
  ranks: readonly StorageRank[],
  request: StorageRequest,
  kind: K,
  deadlineMs: number,
  clock: Clock,
): Promise<Answer<K>[]> {
  const answers = ranks.map((rank) => askRank(rank, request, kind, deadlineMs));
  try {
    return await Promise.all(answers);
  } catch (first) {
    const failures = new Map<number, Failure>();
    const done = new Set<number>();
    const settled = answers.map((answer, i) =>
      answer.then(
        () => done.add(i),
        (error: unknown) => failures.set(i, toFailure(error)),
      ),
    );
    const timer = new AbortController();
    await Promise.race([Promise.all(settled), clock.sleep(OTHERS_MS, timer.signal)]);
    timer.abort();
    throw merged(ranks, toFailure(first), failures, done);
  }
}

/** One failure for all: by the rank that failed first, unless all say the same. */
function merged(
  ranks: readonly StorageRank[],
  first: Failure,
  failures: ReadonlyMap<number, Failure>,
  done: ReadonlySet<number>,
): OperationFailure {
  const said = ranks.map(({ index: rank }, i): RankMessage => {
    const failure = failures.get(i);
    if (failure) return { rank, ok: false, message: failure.message };
    return done.has(i) ? { rank, ok: true, message: 'ready' } : { rank, ok: false, message: 'no answer yet' };
  });
  const same = said.every(({ ok, message }) => !ok && message === first.message);
  const failed = said.find(({ ok, message }) => !ok && message === first.message);
  // Some messages name the rank by themselves.
  const named = same || first.message.includes(`rank ${failed?.rank}`) || first.code === 'rank_failed';
  return new OperationFailure(first, said, named ? first.message : `Rank ${failed?.rank}: ${first.message}`);
}

function isOfKind<K extends Kind>(answer: StorageAnswer, kind: K): answer is Answer<K> {
  return answer.kind === kind;
}
