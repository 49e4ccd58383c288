import type { Clock } from '../../shared/clock.ts';
import { totalBytes } from '../buffers.ts';
import type { Failed, KeyedOperation, StorageError, StorageLayer } from '../driver.ts';
import { passThrough } from './pass-through.ts';

/** Is told of every call, for metrics. Must not throw. */
export interface StorageObserver {
  /** Each is followed by one {@link ended}. */
  started(operation: KeyedOperation): void;
  ended(operation: KeyedOperation, call: CallReport): void;
}

export interface CallReport {
  /** When, by the clock. */
  began: number;
  milliseconds: number;
  /** Keys by outcome: `hit`, `miss`, `stored`, `exists`, `removed`, or the kind of the error. */
  outcomes: ReadonlyMap<string, number>;
  /** Of values that were read or stored. */
  bytes: number;
  /** The first one of the call. */
  error: StorageError | undefined;
}

/** Outcomes of a key that are no errors. What is aborted was not wanted any more, which the store cannot help. */
const ORDINARY = new Set(['hit', 'miss', 'stored', 'exists', 'removed', 'aborted']);

/** The errors of a call: each kind, and how many keys failed with it. */
export function failuresOf({ outcomes }: CallReport): [kind: string, keys: number][] {
  return [...outcomes].filter(([outcome]) => !ORDINARY.has(outcome));
}

/** Counts and times the calls that take keys. */
export function observeLayer(observer: StorageObserver, clock: Clock): StorageLayer {
  async function observed<R extends { status: string } | Failed>(
    operation: KeyedOperation,
    call: () => Promise<R[]>,
    bytesOf: (result: R, index: number) => number = () => 0,
  ): Promise<R[]> {
    const start = clock.now();
    const outcomes = new Map<string, number>();
    let bytes = 0;
    let error: StorageError | undefined;
    observer.started(operation);
    try {
      const results = await call();
      results.forEach((result, index) => {
        const outcome = 'error' in result ? result.error.kind : result.status;
        if ('error' in result) error ??= result.error;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        bytes += bytesOf(result, index);
      });
      return results;
    } finally {
      observer.ended(operation, { began: start, milliseconds: clock.now() - start, outcomes, bytes, error });
    }
  }
  return (driver) => {
    const base = passThrough(driver);
    return {
      ...base,
      has: (keys, signal) => observed('has', () => base.has(keys, signal)),
      read: (reads, signal) =>
        observed(
          'read',
          () => base.read(reads, signal),
          (result) => (result.status === 'hit' ? result.bytes : 0),
        ),
      write: (writes, signal) =>
        observed(
          'write',
          () => base.write(writes, signal),
          ({ status }, i) => (status === 'stored' ? totalBytes(writes[i]?.parts ?? []) : 0),
        ),
      remove: (keys, signal) => observed('remove', () => base.remove(keys, signal)),
    };
  };
}
