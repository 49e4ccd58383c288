import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { tieredDriver } from '../../../src/storage/drivers/pairs/tiered.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { integrityLayer } from '../../../src/storage/layers/integrity.ts';
import { clearStore } from '../../../src/storage/maintenance/clear-store.ts';
import { portions } from '../../../src/storage/maintenance/listing.ts';
import { failed } from '../../../src/storage/results.ts';
import {
  bytes,
  has,
  listAll,
  never,
  outcome,
  pageKey,
  read,
  remove,
  settled,
  write,
} from '../support/calls.ts';
import { Faults, tamper } from '../support/faulty-driver.ts';
import { temporaryFolder } from '../support/folders.ts';
import { FINGERPRINT } from '../support/layers.ts';

async function tiered(options: { fast?: StorageDriver } = {}) {
  const clock = new VirtualClock();
  const [fast, slow] = [options.fast ?? memoryDriver(), memoryDriver()];
  const [fastFaults, slowFaults] = [new Faults(), new Faults()];
  const driver = tieredDriver(fastFaults.wrap(fast), slowFaults.wrap(slow), clock);
  await driver.open(never);
  return { clock, fast, slow, fastFaults, slowFaults, driver };
}

/** What is written to the fast store in the background is there. */
async function untilPromoted(fast: StorageDriver, key: string): Promise<void> {
  await expect.poll(async () => (await has(fast, key)).status).toBe('hit');
}

test('what is written goes to both, and what only the slow store has goes to the fast one when it is read', async () => {
  const { fast, slow, driver } = await tiered();
  expect(outcome(await write(driver, 'a', bytes(100)))).toBe('stored');
  expect((await read(slow, 'a')).value).toEqual(bytes(100));
  await untilPromoted(fast, 'a');
  await write(slow, 'b', bytes(200));
  expect((await read(driver, 'b')).value).toEqual(bytes(200));
  await untilPromoted(fast, 'b');
  expect((await read(fast, 'b')).value).toEqual(bytes(200));
  await remove(slow, 'b');
  expect((await read(driver, 'b')).value).toEqual(bytes(200));
  expect(outcome(await remove(driver, 'b'))).toBe('removed');
  expect((await read(driver, 'b')).result.status).toBe('miss');
  await driver.close();
});

test('the copy for the fast store is not changed by what becomes of the caller’s buffers', async () => {
  const { fast, fastFaults, driver } = await tiered();
  const value = bytes(100);
  fastFaults.next({ kind: 'hang' });
  await write(driver, 'a', value);
  value.fill(0);
  fastFaults.release();
  await untilPromoted(fast, 'a');
  expect((await read(fast, 'a')).value).toEqual(bytes(100));
  await driver.close();
});

test('while a newer value is on its way to the fast store, the older one there is not read', async () => {
  const { fast, fastFaults, driver } = await tiered();
  await write(driver, 'a', bytes(100, 1));
  await untilPromoted(fast, 'a');
  fastFaults.next({ kind: 'hang' });
  await write(driver, 'a', bytes(100, 2));
  expect((await read(driver, 'a')).value).toEqual(bytes(100, 2));
  fastFaults.release();
  await expect.poll(async () => (await read(fast, 'a')).value).toEqual(bytes(100, 2));
  await driver.close();
});

test('what is removed while it is on its way to the fast store does not come back', async () => {
  const { fast, slow, fastFaults, driver } = await tiered();
  await write(slow, 'a', bytes(100));
  fastFaults.next(undefined).next({ kind: 'hang' });
  await read(driver, 'a');
  const removal = remove(driver, 'a');
  fastFaults.release();
  expect(outcome(await removal)).toBe('removed');
  expect((await has(fast, 'a')).status).toBe('miss');
  expect((await has(driver, 'a')).status).toBe('miss');
  await driver.close();
});

test('what the fast store does not remove stays in the slow one, and clearing again removes it from both', async () => {
  const { clock, fast, slow, fastFaults, driver } = await tiered();
  const keys = [1, 2, 3].map(pageKey);
  for (const key of keys) {
    await write(driver, key, bytes(100));
    await untilPromoted(fast, key);
  }
  const away = failed('unreachable', 'made by the test');
  fastFaults.next({ kind: 'answer', results: keys.map((_, i) => (i === 1 ? { status: 'removed' } : away)) });
  expect((await driver.remove(keys, never)).map(outcome)).toEqual(['unreachable', 'removed', 'unreachable']);
  expect((await slow.has(keys, never)).map(outcome)).toEqual(['hit', 'miss', 'hit']);
  // It rests.
  expect(await clearStore(driver, 'model', never)).toMatchObject({ removed: 0, failed: 3 });
  await clock.advance(1_000);
  expect(await clearStore(driver, 'model', never)).toEqual({ removed: 3, failed: 0, problem: undefined });
  for (const store of [fast, slow]) expect(await listAll(store)).toEqual([]);
  await driver.close();
});

test('a list gives what either of them has, once, and lengths', async () => {
  const { fast, slow, driver } = await tiered();
  const keys = Array.from({ length: 300 }, (_, i) => pageKey(i));
  for (const key of keys.slice(0, 200)) await write(slow, key, bytes(1));
  for (const key of keys.slice(100)) await write(fast, key, bytes(2));
  const listed: [string, number | undefined][] = [];
  for await (const entries of portions(driver, never))
    for (const entry of entries) listed.push([entry.key, entry.bytes]);
  expect(new Map(listed)).toEqual(new Map(keys.map((key, i) => [key, i < 200 ? 1 : 2])));
  expect(listed).toHaveLength(300);
  expect(await clearStore(driver, 'model', never)).toMatchObject({ removed: 300, failed: 0 });
  await driver.close();
});

test('a fast store that cannot list is listed and cleared for what the slow one has', async () => {
  const { list: _, ...unlisted } = memoryDriver();
  const { fast, slow, driver } = await tiered({ fast: unlisted });
  await write(fast, pageKey(1), bytes(1));
  await write(slow, pageKey(2), bytes(1));
  expect(await listAll(driver)).toEqual([pageKey(2)]);
  await driver.close();
});

test('of a value that only the fast store has, and that is too long, its beginning is given', async () => {
  const { fast, driver } = await tiered();
  await write(fast, 'a', bytes(100));
  const short = Buffer.alloc(60);
  expect((await driver.read([{ key: 'a', into: [short] }], never)).map(outcome)).toEqual(['size']);
  expect(short).toEqual(bytes(100).subarray(0, 60));
  await driver.close();
});

test('what is read from the slow store while it is removed from both does not go to the fast one', async () => {
  const { clock, fast, slow, slowFaults, driver } = await tiered();
  await write(slow, 'a', bytes(100));
  slowFaults.next({ kind: 'delay', clock, milliseconds: 1_000 });
  const removal = remove(driver, 'a');
  await new Promise(setImmediate);
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  await clock.advance(1_000);
  expect(outcome(await removal)).toBe('removed');
  await new Promise(setImmediate);
  expect((await has(fast, 'a')).status).toBe('miss');
  expect((await has(driver, 'a')).status).toBe('miss');
  await driver.close();
});

test.each([
  { kind: 'reject', message: 'broken' },
  { kind: 'throw', message: 'broken' },
  { kind: 'answer', results: 'nonsense' },
  { kind: 'answer', results: [{ status: 'error', error: { kind: 'corrupt', message: 'broken' } }] },
] as const)('when the fast store answers with %j, the slow one is asked', async (fault) => {
  const { slow, fastFaults, driver } = await tiered();
  await write(slow, 'a', bytes(100));
  fastFaults.next(fault).next(fault);
  expect((await has(driver, 'a')).status).toBe('hit');
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  fastFaults.next(fault);
  expect(outcome(await write(driver, 'b', bytes(10)))).toBe('stored');
  expect((await read(driver, 'b')).value).toEqual(bytes(10));
  await driver.close();
});

test('when the fast store hangs, one read fails with its deadline, and the next ones ask the slow one at once', async () => {
  const { clock, slow, fastFaults, driver } = await tiered();
  await write(slow, 'a', bytes(100));
  fastFaults.next({ kind: 'hang' });
  const buffer = Buffer.alloc(100);
  const reading = driver.read([{ key: 'a', into: [buffer] }], never);
  await clock.advance(2_000);
  const results = await reading;
  expect(results.map(outcome)).toEqual(['timeout']);
  const asked = fastFaults.signals.length;
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect((await has(driver, 'a')).status).toBe('hit');
  expect(outcome(await write(driver, 'b', bytes(10)))).toBe('stored');
  // What may still be there would be found again.
  expect(outcome(await remove(driver, 'b'))).toBe('unreachable');
  expect(fastFaults.signals).toHaveLength(asked);
  fastFaults.release();
  await settled(results);
  await clock.advance(1_000);
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect(fastFaults.signals.length).toBeGreaterThan(asked);
  await driver.close();
});

test('a look at a fast store that hangs costs half a second', async () => {
  const { clock, slow, fastFaults, driver } = await tiered();
  await write(slow, 'a', bytes(100));
  fastFaults.next({ kind: 'hang' });
  const looking = has(driver, 'a');
  await clock.advance(500);
  expect((await looking).status).toBe('hit');
  fastFaults.release();
  await driver.close();
});

test('the slow store decides: what it does not store, and what it cannot tell, is said', async () => {
  const { fast, slowFaults, driver } = await tiered();
  slowFaults.next({
    kind: 'answer',
    results: [{ status: 'error', error: { kind: 'full', message: 'no room' } }],
  });
  expect(outcome(await write(driver, 'a', bytes(100)))).toBe('full');
  expect((await has(fast, 'a')).status).toBe('miss');
  slowFaults.next({ kind: 'reject', message: 'broken' }).next({ kind: 'reject', message: 'broken' });
  expect(outcome(await has(driver, 'a'))).toBe('io');
  expect(outcome((await read(driver, 'a')).result)).toBe('io');
  await driver.close();
});

test('a damaged copy in the fast store costs one computation: it is removed, and with it what the slow one had', async () => {
  const { fast, driver } = await tiered();
  const pages = integrityLayer({ fingerprint: FINGERPRINT, onRejected: () => {} })(driver);
  await write(pages, 'a', bytes(1000));
  await untilPromoted(fast, 'a');
  await tamper(fast, 'a', (value) => value.fill(7));
  expect((await read(pages, 'a')).result.status).toBe('miss');
  expect(outcome(await write(pages, 'a', bytes(1000)))).toBe('stored');
  expect((await read(pages, 'a')).value).toEqual(bytes(1000));
  await driver.close();
});

test('a fast store that is full, or takes only small values, keeps nothing from being stored and read', async () => {
  const { fast, driver } = await tiered({ fast: createDriver('memory', { max_size: 1000 }) });
  await write(driver, 'large', bytes(2000));
  expect((await read(driver, 'large')).value).toEqual(bytes(2000));
  await write(driver, 'small', bytes(500));
  await untilPromoted(fast, 'small');
  expect((await read(driver, 'large')).value).toEqual(bytes(2000));
  await driver.close();
});

test('closing ends what is on its way to a fast store that hangs', async () => {
  const { clock, fastFaults, driver } = await tiered();
  fastFaults.next({ kind: 'hang' });
  await write(driver, 'a', bytes(100));
  await driver.close();
  expect(clock.sleepers).toBe(0);
  fastFaults.release();
});

const SLOW = { backend: 'memory' };
test.each<[object, string]>([
  [{ slow: SLOW }, "Storage backend 'tiered': 'fast' is required."],
  [{ fast: {}, slow: SLOW }, "Storage backend 'tiered': 'fast.backend' is required."],
  [
    { fast: { backend: 'nosuch' }, slow: SLOW },
    "Storage backend 'tiered': 'fast.backend' is refused: There is no storage backend 'nosuch'; known are: ",
  ],
  [
    { fast: { backend: 'memory', max_sze: 1 }, slow: SLOW },
    "Storage backend 'tiered': 'fast.max_sze' is not known here; known are: max_size, ttl.",
  ],
  [
    { fast: { backend: 'file', max_size: 0 }, slow: SLOW },
    "Storage backend 'tiered': 'fast.max_size' must be more",
  ],
  [
    { fast: SLOW, slow: { backend: 'mirror', first: SLOW, second: { backend: 'memory', ttl: 'x' } } },
    "Storage backend 'tiered': 'slow.second.ttl' must be number.",
  ],
])('the options %j are refused with their place', (options, message) => {
  expect(() => createDriver('tiered', options)).toThrow(
    expect.objectContaining({ code: 'storage_config', message: expect.stringContaining(message) }),
  );
});

test('backends in backends in backends are refused at some depth', () => {
  let config: object = { backend: 'memory' };
  for (let depth = 0; depth < 1000; depth++) config = { backend: 'tiered', fast: SLOW, slow: config };
  expect(() => createDriver('tiered', { fast: SLOW, slow: config })).toThrow(
    expect.objectContaining({
      code: 'storage_config',
      message: expect.stringContaining('lies in more than 4'),
    }),
  );
});

test('when one of both cannot be opened, that one is named, and the other one is closed', async () => {
  const folder = await temporaryFolder();
  const driver = createDriver('tiered', {
    fast: { backend: 'memory' },
    slow: { backend: 'hf3fs', file_path_prefix: `${folder}/none/x`, file_size: 1 },
  });
  await expect(driver.open(never)).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringMatching(/^Storage backend 'tiered': slow: its folder is not there/),
  });
  expect(outcome(await has(driver, 'a'))).toBe('closed');
  await driver.close();
});
