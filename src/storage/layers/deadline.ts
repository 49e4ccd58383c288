import type { Clock } from '../../shared/clock.ts';
import { Failure, failure } from '../../shared/errors.ts';
import type { Failed, KeyedOperation, StorageDriver, StorageLayer } from '../driver.ts';
import { failed } from '../results.ts';
import { passThrough } from './pass-through.ts';
import { isOneOf, isReadResult } from './result-checks.ts';

export interface DeadlineOptions {
  clock: Clock;
  /** The longest that each call may take. */
  milliseconds: Readonly<Record<KeyedOperation | 'open' | 'close' | 'list', number>>;
}

type Cut = 'timeout' | 'aborted';

/** Without a reason of its own, every abort makes an exception with a stack. */
const OVER = 'over';

/**
 * Makes any driver keep the contract towards its callers. A call is answered at its deadline, or when its signal
 * aborts, whether the driver settles or not; the driver's signal aborts then too, and what it still does with the
 * buffers is over when {@link Failed.settled} resolves. A driver that throws, rejects or answers nonsense is one whose
 * keys fail with kind `io`.
 */
export function deadlineLayer({ clock, milliseconds }: DeadlineOptions): StorageLayer {
  /** The call's outcome, or what cut it short; `settled` never rejects. */
  async function race<T>(operation: keyof typeof milliseconds, call: Call<T>, signal?: AbortSignal) {
    const inner = new AbortController();
    const timer = new AbortController();
    let abort = () => {};
    const aborted = new Promise<Cut>((resolve) => {
      abort = () => resolve('aborted');
    });
    signal?.addEventListener('abort', abort, { once: true });
    const late = clock
      .sleep(milliseconds[operation], timer.signal)
      .then((): Cut => (timer.signal.aborted ? 'aborted' : 'timeout'));
    const outcome = attempt(call, inner.signal);
    const first = await Promise.race([outcome, aborted, late]);
    timer.abort(OVER);
    signal?.removeEventListener('abort', abort);
    if (typeof first !== 'string') return first;
    inner.abort();
    return { cut: first, settled: outcome.then(letGo) };
  }

  async function keyed<R extends { status: string }>(
    operation: KeyedOperation,
    items: readonly unknown[],
    signal: AbortSignal,
    call: Call<R[]>,
    isResult: (result: unknown, index: number) => result is R,
  ): Promise<(R | Failed)[]> {
    const all = (result: Failed) => items.map(() => result);
    if (signal.aborted) return all(failed('aborted', 'The call was aborted before it began.'));
    const outcome = await race(operation, call, signal);
    if ('cut' in outcome) {
      const message = outcome.cut === 'timeout' ? tooLong(operation) : 'The call was aborted.';
      return all({ ...failed(outcome.cut, message), settled: outcome.settled });
    }
    if ('thrown' in outcome) return all(failed('io', `The driver threw: ${reason(outcome.thrown)}`));
    const { value } = outcome;
    if (Array.isArray(value) && value.length === items.length && value.every(isResult)) return value;
    return all(failed('io', `The driver answered ${operation} with something else than one result per key.`));
  }

  async function other<T>(
    driver: StorageDriver,
    operation: 'open' | 'list',
    signal: AbortSignal,
    call: Call<T>,
  ): Promise<T> {
    if (signal.aborted) throw broken(driver, 'The call was aborted before it began.');
    const outcome = await race(operation, call, signal);
    if ('value' in outcome) return outcome.value;
    if ('thrown' in outcome) {
      const { thrown } = outcome;
      // It names the backend already.
      const isOwn = thrown instanceof Failure && thrown.code === 'storage_failed';
      throw isOwn ? thrown : broken(driver, reason(thrown), thrown);
    }
    throw broken(driver, outcome.cut === 'timeout' ? tooLong(operation) : 'The call was aborted.');
  }

  const tooLong = (operation: keyof typeof milliseconds) =>
    `${operation} took longer than ${milliseconds[operation] / 1000} s.`;

  return (driver) => {
    const base = passThrough(driver);
    return {
      ...base,
      open: (signal) => other(driver, 'open', signal, base.open),
      async close() {
        await race('close', base.close);
      },
      has: (keys, signal) =>
        keyed('has', keys, signal, (inner) => base.has(keys, inner), isOneOf('hit', 'miss')),
      read: (reads, signal) =>
        keyed('read', reads, signal, (inner) => base.read(reads, inner), isReadResult(reads)),
      write: (writes, signal) =>
        keyed('write', writes, signal, (inner) => base.write(writes, inner), isOneOf('stored', 'exists')),
      remove: (keys, signal) =>
        keyed('remove', keys, signal, (inner) => base.remove(keys, inner), isOneOf('removed', 'miss')),
      list:
        base.list &&
        (async (cursor, signal) => {
          const listing = await other(driver, 'list', signal, (inner) => base.list!(cursor, inner));
          const { keys, next } = listing;
          if (
            Array.isArray(keys) &&
            keys.every((key) => typeof key === 'string') &&
            ['string', 'undefined'].includes(typeof next)
          )
            return listing;
          throw broken(driver, 'The driver answered list with no list.');
        }),
      usage:
        base.usage &&
        (() => {
          try {
            return base.usage!();
          } catch {
            return undefined;
          }
        }),
    };
  };
}

type Call<T> = (inner: AbortSignal) => Promise<T>;

async function attempt<T>(call: Call<T>, signal: AbortSignal): Promise<{ value: T } | { thrown: unknown }> {
  try {
    return { value: await call(signal) };
  } catch (thrown) {
    return { thrown };
  }
}

/** Resolves when a late answer's buffers are free; the driver may have such a deadline of its own. */
async function letGo(outcome: { value: unknown } | { thrown: unknown }): Promise<void> {
  if (!('value' in outcome) || !Array.isArray(outcome.value)) return;
  await Promise.allSettled(outcome.value.map((result) => result?.settled));
}

const reason = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown));

function broken({ name }: StorageDriver, why: string, cause?: unknown): Failure {
  return failure('storage_failed', { backend: name, reason: why }, { cause });
}
