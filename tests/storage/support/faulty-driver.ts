import type { Clock } from '../../../src/shared/clock.ts';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';

/** What goes wrong with one call that takes keys. */
export type Fault =
  | { kind: 'throw'; message: string }
  | { kind: 'reject'; message: string }
  | { kind: 'answer'; results: unknown }
  /** Never settles, whatever its signal says, until {@link Faults.release}. */
  | { kind: 'hang' }
  | { kind: 'delay'; clock: Clock; milliseconds: number };

/** A plan of faults for a driver's calls, one after the other. */
export class Faults {
  readonly #planned: (Fault | undefined)[] = [];
  readonly #hanging: (() => void)[] = [];
  /** The signals of the calls, as the driver got them. */
  readonly signals: AbortSignal[] = [];

  /** For the next call that has none planned. */
  next(fault: Fault | undefined): this {
    this.#planned.push(fault);
    return this;
  }

  /** Lets the calls that hang go on with their work. */
  release(): void {
    for (const go of this.#hanging.splice(0)) go();
  }

  wrap(driver: StorageDriver): StorageDriver {
    const base = passThrough(driver);
    return {
      ...base,
      has: (keys, signal) => this.#run(signal, () => base.has(keys, signal)),
      read: (reads, signal) => this.#run(signal, () => base.read(reads, new AbortController().signal)),
      write: (writes, signal) => this.#run(signal, () => base.write(writes, new AbortController().signal)),
      remove: (keys, signal) => this.#run(signal, () => base.remove(keys, signal)),
    };
  }

  #run<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    this.signals.push(signal);
    const fault = this.#planned.shift();
    // Not as a rejection: a plugin can throw before it gives a promise.
    if (fault?.kind === 'throw') throw new Error(fault.message);
    return this.#fail(fault, call);
  }

  async #fail<T>(fault: Fault | undefined, call: () => Promise<T>): Promise<T> {
    if (fault?.kind === 'reject') throw new Error(fault.message);
    if (fault?.kind === 'answer') return fault.results as T;
    if (fault?.kind === 'hang') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (fault?.kind === 'delay') await fault.clock.sleep(fault.milliseconds);
    return await call();
  }
}

/** Changes a stored value behind the back of everything above the driver. */
export async function tamper(
  driver: StorageDriver,
  key: string,
  change: (value: Buffer) => Uint8Array,
): Promise<void> {
  const signal = new AbortController().signal;
  const buffer = Buffer.alloc(1_000_000);
  const [result] = await driver.read([{ key, into: [buffer] }], signal);
  if (result?.status !== 'hit') throw new Error(`there is no ${key} to tamper with`);
  const changed = change(Buffer.from(buffer.subarray(0, result.bytes)));
  await driver.remove([key], signal);
  await driver.write([{ key, parts: [changed] }], signal);
}
