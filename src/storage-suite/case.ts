import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { StorageDriver } from '../storage/driver.ts';
import { never } from './calls.ts';
import { checkedDriver, Trace } from './checked-driver.ts';
import { fail } from './expect.ts';
import { DEFAULT_LIMIT_MS, type GroupName, type SuiteOptions } from './options.ts';
import { watchStrayErrors } from './stray-errors.ts';

/** What a case gets its drivers from. Each of them is closed after it. */
export interface Stores {
  /** A driver on an empty store, open. */
  open(): Promise<StorageDriver>;
  /** The same, not open yet. */
  make(): Promise<StorageDriver>;
  /** Takes a driver that was made otherwise into the same care. */
  adopt(driver: StorageDriver): StorageDriver;
  readonly options: SuiteOptions;
  /** Ends the case: it does not apply. */
  skip(reason: string): never;
  /** Asks again and again, until it is so or the case’s time is over. */
  until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void>;
  /** For what is to be undone after the case, in the reverse order. */
  after(undo: () => Promise<void>): void;
}

/** The cases of a group, by a sentence that says what holds. */
export type Cases = Record<string, (stores: Stores) => Promise<void>>;

export interface SuiteCase {
  group: GroupName;
  name: string;
  run(stores: Stores): Promise<void>;
}

/** Thrown where a case does not apply. The message is the reason. */
export class Skipped extends Error {}

/** What one case learns for the next. */
export interface Memory {
  /** A driver of the suite has not closed in time once: nobody waits for that again. */
  closeHangs: boolean;
  /** Of the last driver that was made. */
  driver: Pick<StorageDriver, 'name' | 'capabilities'> | undefined;
}

const BETWEEN_ASKING_MS = 10;

/** Runs one case. Throws what is wrong, or {@link Skipped}; ends within twice the limit, whatever the driver does. */
export async function runCase({ run }: SuiteCase, options: SuiteOptions, memory: Memory): Promise<void> {
  const limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
  const trace = new Trace();
  const over = new AbortController();
  const drivers: StorageDriver[] = [];
  const undos: (() => Promise<void>)[] = [];
  const strays = watchStrayErrors();
  const stores = storesOf(options, memory, { trace, over: over.signal, drivers, undos });
  const closeAll = async () => void (await Promise.all(drivers.map((driver) => driver.close())));
  try {
    await within(limitMs, trace, run(stores));
    if (!memory.closeHangs) await within(limitMs, trace, closeAll());
    await nextTurn();
    const [problem] = [...trace.problems, ...strays.seen];
    if (problem) fail(problem);
  } finally {
    over.abort();
    const closing = closeAll().then(nothing, nothing);
    if (!memory.closeHangs)
      memory.closeHangs = await within(limitMs, trace, closing).then(
        () => false,
        () => true,
      );
    for (const undo of undos.reverse()) await undo();
    strays.stop();
  }
}

const nothing = () => undefined;

interface Care {
  trace: Trace;
  over: AbortSignal;
  drivers: StorageDriver[];
  undos: (() => Promise<void>)[];
}

function storesOf(options: SuiteOptions, memory: Memory, { trace, over, drivers, undos }: Care): Stores {
  const adopt = (driver: StorageDriver) => {
    memory.driver = driver;
    const checked = checkedDriver(driver, trace);
    drivers.push(checked);
    return checked;
  };
  const make = async () => adopt(await trace.during('the making of a driver', async () => options.make()));
  return {
    options,
    adopt,
    make,
    async open() {
      const driver = await make();
      await driver.open(never);
      return driver;
    },
    skip(reason) {
      throw new Skipped(reason);
    },
    until: (what, isSo) =>
      trace.during(what, async () => {
        while (!over.aborted) {
          if (await isSo()) return;
          await sleep(BETWEEN_ASKING_MS);
        }
      }),
    after: (undo) => void undos.push(undo),
  };
}

async function within<T>(milliseconds: number, trace: Trace, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => {});
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const waiting = trace.pending === '' ? '' : `; still waiting for: ${trace.pending}`;
      reject(new Error(`not over after ${milliseconds / 1000} s${waiting}`));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
