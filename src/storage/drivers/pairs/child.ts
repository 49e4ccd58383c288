import type { Clock } from '../../../shared/clock.ts';
import { Failure, failure } from '../../../shared/errors.ts';
import type { ReadResult, StorageDriver } from '../../driver.ts';
import { type DeadlineOptions, deadlineLayer } from '../../layers/deadline.ts';
import type { ChildConfig } from './options.ts';

/** A store that did not answer is left alone for so long, and twice as long each time again. */
const SHORTEST_REST_MS = 1_000;
const LONGEST_REST_MS = 60_000;
/** Reads in a row that the other store answered first, after which it is asked second, for as long as one rests. */
const MOST_OVERTAKEN = 3;
/** Bytes that calls may go on using after their callers were answered: a store with more of them is asked for nothing. */
const MOST_OVERDUE = 64 << 20;

/**
 * Makes a child of a backend. What is wrong with its options is wrong at a place in the options around it.
 *
 * @throws `storage_config`
 */
export function createChild(
  backend: string,
  place: string,
  { backend: name, ...options }: ChildConfig,
  create: (name: string, config: unknown) => StorageDriver,
): StorageDriver {
  try {
    return create(name, options);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const wrong = error.paramsOf('storage_config');
    const unknown = error.paramsOf('storage_unknown_backend');
    const inside = wrong?.path === '' ? place : `${place}.${wrong?.path}`;
    if (wrong) throw failure('storage_config', { backend, path: inside, expected: wrong.expected });
    if (!unknown) throw error;
    const expected = `is refused: ${unknown.reason.replace(/\.$/, '')}`;
    throw failure('storage_config', { backend, path: `${place}.backend`, expected });
  }
}

/** One of two stores: with deadlines of its own, and left alone for a while after it did not answer. */
export class Child {
  readonly driver: StorageDriver;
  readonly #place: string;
  readonly #clock: Clock;
  #failures = 0;
  #restsUntil = 0;
  #overtaken = 0;
  #slowUntil = 0;
  #overdue = 0;

  /** @param place its name in the options around it */
  constructor(
    place: string,
    driver: StorageDriver,
    clock: Clock,
    milliseconds: DeadlineOptions['milliseconds'],
  ) {
    this.#place = place;
    this.#clock = clock;
    this.driver = deadlineLayer({ clock, milliseconds })(driver);
  }

  get rests(): boolean {
    return this.isOverdue || this.#clock.now() < this.#restsUntil;
  }

  /** Whether it uses so much memory of calls that nobody waits for any more that it must get no more of it. */
  get isOverdue(): boolean {
    return this.#overdue > MOST_OVERDUE;
  }

  /** Counts memory that a call may use until its answer is there, and settled. The answers must not reject. */
  async lend(
    bytes: number,
    answers: Promise<readonly { status: string; settled?: Promise<void> }[]>,
  ): Promise<void> {
    this.#overdue += bytes;
    await Promise.all((await answers).map(({ settled }) => settled));
    this.#overdue -= bytes;
  }

  /** Looks at what it answered, whether it can be reached. */
  async heard<R extends { status: string; error?: { kind: string } }>(answers: Promise<R[]>): Promise<R[]> {
    const results = await answers;
    const isAway = ({ error }: R) => error?.kind === 'timeout' || error?.kind === 'unreachable';
    if (results.some(isAway)) {
      this.#restsUntil = this.#clock.now() + restAfter(this.#failures++);
    } else if (results.some(({ error }) => error === undefined)) {
      this.#failures = 0;
      this.#restsUntil = 0;
    }
    return results;
  }

  /** Whether it did not answer reads that others answered meanwhile. It may answer everything else. */
  get isSlow(): boolean {
    return this.#clock.now() < this.#slowUntil;
  }

  /** A read of it was given up without an answer, since another store answered. */
  overtaken(): void {
    const more = ++this.#overtaken - MOST_OVERTAKEN;
    if (more >= 0) this.#slowUntil = this.#clock.now() + restAfter(more);
  }

  /** {@link heard}, of a read. */
  async heardRead(answers: Promise<ReadResult[]>): Promise<ReadResult[]> {
    const results = await this.heard(answers);
    if (results.some((result) => result.status !== 'error')) {
      this.#overtaken = 0;
      this.#slowUntil = 0;
    }
    return results;
  }

  /** Throws the reason, with the child's place before it. */
  async open(signal: AbortSignal): Promise<void> {
    try {
      await this.driver.open(signal);
    } catch (error) {
      throw new Error(`${this.#place}: ${reasonOf(error)}`, { cause: error });
    }
  }
}

function restAfter(times: number): number {
  return Math.min(LONGEST_REST_MS, SHORTEST_REST_MS * 2 ** times);
}

/** Opens both, or neither. Throws `storage_failed`. */
export async function openBoth(
  backend: string,
  children: readonly Child[],
  signal: AbortSignal,
): Promise<void> {
  const outcomes = await Promise.allSettled(children.map((child) => child.open(signal)));
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (reasons.length === 0) return;
  await Promise.all(children.map(({ driver }) => driver.close()));
  const reason = reasons.map(({ message }) => message).join('; ');
  throw failure('storage_failed', { backend, reason }, { cause: reasons[0] });
}

/** Every layer names the backend once more. */
function reasonOf(error: unknown): string {
  if (error instanceof Failure && error.cause instanceof Failure) return reasonOf(error.cause);
  const reason = error instanceof Failure ? error.paramsOf('storage_failed')?.reason : undefined;
  return reason ?? (error instanceof Error ? error.message : String(error));
}
