import type { Clock } from '../../../src/shared/clock.ts';
import type { KeyedOperation, ReadResult, StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { never } from '../../storage/support/calls.ts';

/** What goes wrong with one call. */
export type Trouble =
  /** Takes so long, whatever its signal says. */
  | number
  /** Never ends, until {@link TroubledStore.release}. */
  | 'hang'
  | 'throw'
  | 'reject'
  /** Every key fails. */
  | 'fail'
  /** One result too few. */
  | 'nonsense'
  /** Finds nothing, whatever `has` said. */
  | 'miss'
  /** One byte of every value is another one. */
  | 'damage'
  /** Half of every value. */
  | 'truncate'
  /** The value of another key. */
  | 'exchange';

/** Chooses by the operation and the number of the call, which begins with 0. */
export type TroublePlan = (operation: KeyedOperation, call: number) => Trouble | undefined;

/** Values in memory behind a driver that goes wrong by plan. What it is told to do late, it does in the caller's buffers. */
export class TroubledStore {
  /** Keys of every call. */
  readonly calls: { operation: KeyedOperation; keys: string[] }[] = [];
  /** Keys that were written, and not removed since. */
  readonly stored = new Set<string>();
  onAnswer: (() => void) | undefined;
  plan: TroublePlan = () => undefined;
  readonly #values = memoryDriver();
  readonly #clock: Clock;
  #hanging: (() => void)[] = [];
  #open = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    void this.#values.open(never);
  }

  /** Calls that have not ended. */
  get open(): number {
    return this.#open;
  }

  keys(operation: KeyedOperation): string[] {
    return this.calls.filter((call) => call.operation === operation).flatMap(({ keys }) => keys);
  }

  /** Lets everything that hangs go on. */
  release(): void {
    for (const go of this.#hanging.splice(0)) go();
  }

  driver(): StorageDriver {
    const base = passThrough(this.#values);
    return {
      ...base,
      has: (keys) => this.#run('has', [...keys], () => base.has(keys, never)),
      read: (reads) => {
        const keys = reads.map(({ key }) => key);
        return this.#run('read', keys, (trouble) => {
          const wanted = trouble === 'exchange' ? keys.map((_, i) => keys.at(i - 1)!) : keys;
          // Without their `filled`: what is spoiled below is not there before.
          const asked = reads.map(({ into }, i) => ({ key: wanted[i]!, into }));
          return base
            .read(asked, never)
            .then((results) => results.map((result, i) => spoil(result, reads[i]!.into, trouble)));
        });
      },
      write: (writes) => {
        const keys = writes.map(({ key }) => key);
        return this.#run('write', keys, async () => {
          const results = await base.write(writes, never);
          for (const [i, { status }] of results.entries()) if (status !== 'error') this.stored.add(keys[i]!);
          return results;
        });
      },
      remove: (keys) => {
        return this.#run('remove', [...keys], () => {
          for (const key of keys) this.stored.delete(key);
          return base.remove(keys, never);
        });
      },
    };
  }

  #run<R>(
    operation: KeyedOperation,
    keys: string[],
    call: (trouble: Trouble | undefined) => Promise<R[]>,
  ): Promise<R[]> {
    const trouble = this.plan(operation, this.calls.length);
    this.calls.push({ operation, keys });
    // Not as a rejection: a plugin can throw before it gives a promise.
    if (trouble === 'throw') throw new Error('thrown by the test');
    this.#open++;
    return this.#answer(trouble, keys, call).finally(() => {
      this.#open--;
      this.onAnswer?.();
    });
  }

  async #answer<R>(
    trouble: Trouble | undefined,
    keys: string[],
    call: (trouble: Trouble | undefined) => Promise<R[]>,
  ): Promise<R[]> {
    const failed = { status: 'error', error: { kind: 'io', message: 'made by the test' } } as R;
    if (trouble === 'reject') throw new Error('rejected by the test');
    if (trouble === 'fail') return keys.map(() => failed);
    if (trouble === 'miss') return keys.map(() => ({ status: 'miss' }) as R);
    if (trouble === 'hang') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (typeof trouble === 'number') await this.#clock.sleep(trouble);
    const results = await call(trouble);
    return trouble === 'nonsense' ? results.slice(1) : results;
  }
}

function spoil(result: ReadResult, into: readonly Uint8Array[], trouble: Trouble | undefined): ReadResult {
  const last = into.at(-1);
  if (result.status !== 'hit' || !last) return result;
  if (trouble === 'damage') last[last.length - 1]! ^= 1;
  return trouble === 'truncate' ? { status: 'hit', bytes: result.bytes >> 1 } : result;
}
