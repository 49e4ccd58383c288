import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, never, pageKeys, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectOneOf, expectOutcomes } from '../expect.ts';

/** What a store that is used many times would gather, where each time leaves something behind. */
const TIMES = 10;
const LEFTOVERS = new Set([
  'Timeout',
  'Immediate',
  'TCPSocketWrap',
  'TLSWrap',
  'PipeConnectWrap',
  'TCPConnectWrap',
]);

/** Before it is open, after it is closed, and between. */
export const lifecycle: Cases = {
  async 'before it is open and after it is closed every key fails with kind closed'({ make }) {
    const driver = await make();
    await expectClosed(driver);
    await driver.open(never);
    await write(driver, 'a', bytes(1));
    await driver.close();
    await expectClosed(driver);
    await driver.close();
  },

  async 'it can be closed without having been opened'({ make }) {
    const driver = await make();
    await driver.close();
    await expectClosed(driver);
  },

  async 'it can be closed twice, at the same time and afterwards'({ open }) {
    const driver = await open();
    await write(driver, 'a', bytes(1));
    await Promise.all([driver.close(), driver.close()]);
    await driver.close();
    await expectClosed(driver);
  },

  async 'closed in the tick in which it is opened, it stays closed'({ make }) {
    const driver = await make();
    const opening = ended(driver.open(never));
    await Promise.all([driver.close(), opening]);
    await expectClosed(driver);
  },

  async 'closed while it opens, it stays closed'({ make }) {
    for (let turns = 1; turns <= 5; turns++) {
      const driver = await make();
      const opening = ended(driver.open(never));
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      await Promise.all([driver.close(), opening]);
      await expectClosed(driver);
    }
  },

  async 'opened after it was closed, it stays closed'({ make }) {
    const driver = await make();
    await driver.open(never);
    await driver.close();
    await ended(driver.open(never));
    await expectClosed(driver);
    await driver.close();
  },

  async 'from the moment that it is being closed every new call fails with kind closed'({ open }) {
    const driver = await open();
    await write(driver, 'a', bytes(1));
    const closing = driver.close();
    await expectClosed(driver);
    await closing;
  },

  async 'calls that run when it is closed end with an answer for every key'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 100));
    const calls = [
      driver.write(
        keys.map((key) => ({ key, parts: [Buffer.alloc(50_000)] })),
        never,
      ),
      driver.has(keys, never),
      driver.read(
        keys.map((key) => ({ key, into: [Buffer.alloc(50_000)] })),
        never,
      ),
      driver.remove(keys, never),
    ];
    await driver.close();
    for (const results of await Promise.all<{ status: string }[]>(calls))
      expectOneOf(results, keys.length, ['stored', 'hit', 'miss', 'removed', 'closed'], 'a call that ran');
  },

  async 'closed in the middle of calls, it leaves their buffers alone'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 32));
    await driver.write(
      keys.map((key) => ({ key, parts: [Buffer.alloc(50_000, 1)] })),
      never,
    );
    const buffers = keys.map(() => Buffer.alloc(50_000));
    const call = driver.read(
      keys.map((key, i) => ({ key, into: [buffers[i]!] })),
      never,
    );
    await nextTurn();
    await driver.close();
    await call;
    for (const buffer of buffers) buffer.fill(9);
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    const touched = buffers.some((buffer) => buffer.some((byte) => byte !== 9));
    expect(!touched, 'a buffer was changed after the driver was closed');
  },

  async 'opened and closed many times, it leaves no timer and no socket behind'({ make, until }) {
    const before = leftovers();
    for (let i = 0; i < TIMES; i++) {
      const driver = await make();
      await driver.open(never);
      await write(driver, 'a', bytes(100));
      await driver.close();
    }
    // One of each for every time would be a leak; fewer may be anybody's.
    const grown = () => [...leftovers()].find(([kind, count]) => count - (before.get(kind) ?? 0) >= TIMES);
    await until(`everything that ${TIMES} drivers left behind (timers or sockets) to go`, () => !grown());
  },
};

/** What would keep the process alive, by kind. */
function leftovers(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (LEFTOVERS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Either way: what it threw was looked at where it was called. */
function ended(opening: Promise<void>): Promise<void> {
  return opening.catch(() => undefined);
}

async function expectClosed(driver: StorageDriver): Promise<void> {
  const twice = ['a', 'b'].slice(0, driver.capabilities.batch);
  expectOutcomes(await driver.has(twice, never), Array(twice.length).fill('closed'), 'has');
  expectOutcomes(await driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], never), ['closed'], 'read');
  expectOutcomes(await driver.write([{ key: 'a', parts: [] }], never), ['closed'], 'write');
  expectOutcomes(await driver.remove(['a'], never), ['closed'], 'remove');
  if (!driver.list) return;
  const listed = await driver.list(undefined, never).then(
    () => true,
    () => false,
  );
  expect(!listed, 'list has listed what is not open, instead of throwing storage_failed');
}
