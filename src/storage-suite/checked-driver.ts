import type { KeyedOperation, StorageDriver } from '../storage/driver.ts';
import { fail } from './expect.ts';
import { expectResults } from './result-shape.ts';

/** What is under way in a case, and what went wrong where nobody waits. */
export class Trace {
  readonly #pending = new Set<{ what: string }>();
  readonly problems: string[] = [];

  /** Remembers what is waited for, for who asks why a case does not end. */
  async during<T>(what: string, work: () => Promise<T>): Promise<T> {
    const entry = { what };
    this.#pending.add(entry);
    try {
      return await work();
    } finally {
      this.#pending.delete(entry);
    }
  }

  get pending(): string {
    return [...new Set([...this.#pending].map(({ what }) => what))].join(', ');
  }
}

/** A driver as it is, of which every answer is held to the form that the contract has, in whatever case it is given. */
export function checkedDriver(driver: StorageDriver, trace: Trace): StorageDriver {
  function keyed<T, R>(
    operation: KeyedOperation,
    items: readonly T[],
    call: () => Promise<R[]>,
  ): Promise<R[]> {
    return handled(
      trace.during(operation, async () => {
        const results = await call().catch((error: unknown) =>
          fail(`${operation} rejected, which no call may: ${String(error)}`),
        );
        expectResults(operation, items, results);
        for (const result of results) watchSettled(operation, result);
        return results;
      }),
    );
  }

  function watchSettled(operation: KeyedOperation, result: object): void {
    const settled: unknown = 'settled' in result ? result.settled : undefined;
    if (settled instanceof Promise)
      settled.catch(() => trace.problems.push(`settled of a ${operation} rejected, which it never may`));
  }

  /** For `open` and `list`, which may throw, but one thing only. */
  function throwing<T>(what: string, call: () => Promise<T>): Promise<T> {
    const wrapped = async () => {
      try {
        return await call();
      } catch (error) {
        if ((error as { code?: unknown } | undefined)?.code === 'storage_failed') throw error;
        return fail(`${what} threw something else than a storage_failed: ${String(error)}`);
      }
    };
    return handled(trace.during(what, wrapped));
  }

  return {
    name: driver.name,
    capabilities: driver.capabilities,
    open: (signal) => throwing('open', async () => driver.open(signal)),
    close: () => {
      const wrapped = async () => {
        try {
          await driver.close();
        } catch (error) {
          fail(`close threw, which it never may: ${String(error)}`);
        }
      };
      return handled(trace.during('close', wrapped));
    },
    has: (keys, signal) => keyed('has', keys, async () => driver.has(keys, signal)),
    read: (reads, signal) => keyed('read', reads, async () => driver.read(reads, signal)),
    write: (writes, signal) => keyed('write', writes, async () => driver.write(writes, signal)),
    remove: (keys, signal) => keyed('remove', keys, async () => driver.remove(keys, signal)),
    list: driver.list && ((cursor, signal) => throwing('list', async () => driver.list!(cursor, signal))),
    usage: driver.usage && (() => driver.usage!()),
  };
}

/** Whoever waits for the promise sees its error; a case that failed before may wait for it no more. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
