import type { Clock } from '../../shared/clock.ts';
import { totalBytes } from '../buffers.ts';
import type { Failed, KeyedOperation, StorageLayer } from '../driver.ts';
import { passThrough } from './pass-through.ts';

/** Is told of every call, for metrics. Must not throw. */
export interface StorageObserver {
  /** Each is followed by one {@link ended}. */
  started(operation: KeyedOperation): void;
  ended(operation: KeyedOperation, call: CallReport): void;
}

interface CallReport {
  milliseconds: number;
  /** Keys by outcome: `hit`, `miss`, `stored`, `exists`, `removed`, or the kind of the error. */
  outcomes: ReadonlyMap<string, number>;
  /** Of values that were read or stored. */
  bytes: number;
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
    observer.started(operation);
    try {
      const results = await call();
      results.forEach((result, index) => {
        const outcome = 'error' in result ? result.error.kind : result.status;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        bytes += bytesOf(result, index);
      });
      return results;
    } finally {
      observer.ended(operation, { milliseconds: clock.now() - start, outcomes, bytes });
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
