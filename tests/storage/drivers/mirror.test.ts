import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { mirrorDriver } from '../../../src/storage/drivers/pairs/mirror.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import { type Fault, Faults } from '../support/faulty-driver.ts';

async function mirror() {
  const clock = new VirtualClock();
  const [first, second] = [memoryDriver(), memoryDriver()];
  const [firstFaults, secondFaults] = [new Faults(), new Faults()];
  const driver = mirrorDriver(firstFaults.wrap(first), secondFaults.wrap(second), clock);
  await driver.open(never);
  return { clock, first, second, firstFaults, secondFaults, driver };
}

/** Lets time pass until something is done. */
async function inTime<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  work.then(done, done);
  while (!isDone) {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    await clock.advance(500);
  }
  return work;
}

const answer = (kind: string): Fault => ({
  kind: 'answer',
  results: [{ status: 'error', error: { kind, message: 'made by the test' } }],
});
const UNREACHABLE = { status: 'error', error: { kind: 'unreachable', message: 'made by the test' } };
const slow = (clock: VirtualClock): Fault => ({ kind: 'delay', clock, milliseconds: 1_000 });
const BROKEN: Fault[] = [
  { kind: 'reject', message: 'broken' },
  { kind: 'throw', message: 'broken' },
  { kind: 'answer', results: 'nonsense' },
  answer('io'),
];

test('both get what is written, and either of them is enough to read it', async () => {
  const { first, second, driver } = await mirror();
  expect(outcome(await write(driver, 'a', bytes(100)))).toBe('stored');
  for (const store of [first, second]) expect((await read(store, 'a')).value).toEqual(bytes(100));
  await remove(first, 'a');
  expect((await has(driver, 'a')).status).toBe('hit');
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect(outcome(await remove(driver, 'a'))).toBe('removed');
  expect((await has(second, 'a')).status).toBe('miss');
  expect((await read(driver, 'a')).result.status).toBe('miss');
  await driver.close();
});

test.each(BROKEN)('when one store answers with %j, the other one is enough', async (fault) => {
  const { firstFaults, secondFaults, driver } = await mirror();
  await write(driver, 'a', bytes(100));
  firstFaults.next(fault).next(fault);
  expect((await has(driver, 'a')).status).toBe('hit');
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  firstFaults.next(fault);
  expect(outcome(await write(driver, 'b', bytes(10)))).toBe('stored');
  secondFaults.next(fault);
  expect(outcome(await write(driver, 'c', bytes(10)))).toBe('stored');
  expect((await read(driver, 'b')).value).toEqual(bytes(10));
  expect((await read(driver, 'c')).value).toEqual(bytes(10));
  // One says that it is not there, the other one cannot say.
  firstFaults.next(fault).next(fault);
  expect((await has(driver, 'none')).status).toBe('miss');
  expect((await read(driver, 'none')).result.status).toBe('miss');
  // What may still be there would be found again.
  secondFaults.next(fault);
  expect(outcome(await remove(driver, 'a'))).toBe('io');
  await driver.close();
});

test('when both fail, the call does', async () => {
  const { firstFaults, secondFaults, driver } = await mirror();
  for (let i = 0; i < 3; i++) {
    firstFaults.next(answer('denied'));
    secondFaults.next(answer('full'));
  }
  expect(['denied', 'full']).toContain(outcome(await has(driver, 'a')));
  expect(['denied', 'full']).toContain(outcome((await read(driver, 'a')).result));
  expect(['denied', 'full']).toContain(outcome(await write(driver, 'a', bytes(10))));
  await driver.close();
});

test('a first store that hangs costs a tenth of a second, and is then left alone for a while', async () => {
  const { clock, first, firstFaults, driver } = await mirror();
  await write(driver, 'a', bytes(100));
  firstFaults.next({ kind: 'hang' });
  const buffer = Buffer.alloc(100);
  const reading = driver.read([{ key: 'a', into: [buffer] }], never);
  await clock.advance(100);
  expect((await reading).map(outcome)).toEqual(['hit']);
  expect(buffer).toEqual(bytes(100));
  // What it does when it comes back is done to memory of its own.
  await remove(first, 'a');
  await write(first, 'a', bytes(100, 2));
  firstFaults.release();
  await new Promise(setImmediate);
  expect(buffer).toEqual(bytes(100));

  firstFaults.next({ kind: 'hang' });
  const looking = has(driver, 'a');
  await clock.advance(100);
  expect((await looking).status).toBe('hit');
  await clock.advance(2_000);
  const asked = firstFaults.signals.length;
  expect((await has(driver, 'a')).status).toBe('hit');
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect(outcome(await write(driver, 'b', bytes(10)))).toBe('stored');
  expect(firstFaults.signals).toHaveLength(asked);
  await clock.advance(1_000);
  expect((await has(driver, 'b')).status).toBe('hit');
  expect(firstFaults.signals.length).toBeGreaterThan(asked);
  firstFaults.release();
  await driver.close();
});

/** Reads until something was answered, and says how often the first store was asked. */
async function readTimes({ clock, firstFaults, driver }: Awaited<ReturnType<typeof mirror>>, times: number) {
  const before = firstFaults.signals.length;
  for (let i = 0; i < times; i++) {
    const reading = read(driver, 'a');
    await clock.advance(100);
    expect((await reading).value).toEqual(bytes(100));
  }
  return firstFaults.signals.length - before;
}

test('a first store whose reads hang is asked second after a few of them, though it answers everything else', async () => {
  const pair = await mirror();
  const { clock, second, firstFaults, driver } = pair;
  await write(driver, 'a', bytes(100));
  for (let i = 0; i < 3; i++) {
    expect((await has(driver, 'a')).status).toBe('hit');
    firstFaults.next({ kind: 'hang' });
    expect(await readTimes(pair, 1)).toBe(1);
  }
  expect(await readTimes(pair, 5)).toBe(0);
  // What only it has is still found there.
  await remove(second, 'a');
  firstFaults.release();
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  await write(second, 'a', bytes(100));
  expect(await readTimes(pair, 1)).toBe(1);
  // Longer each time, as long as it answers none.
  for (const rest of [1_000, 2_000, 4_000]) {
    for (let i = rest === 1_000 ? 0 : 2; i < 3; i++) {
      firstFaults.next({ kind: 'hang' });
      expect(await readTimes(pair, 1)).toBe(1);
    }
    await clock.advance(rest - 200);
    expect(await readTimes(pair, 1)).toBe(0);
    await clock.advance(100);
  }
  expect(await readTimes(pair, 1)).toBe(1);
  firstFaults.release();
  await driver.close();
});

test('a second store that is asked too, and loses, is not taken for a slow one', async () => {
  const { clock, secondFaults, firstFaults, driver } = await mirror();
  await write(driver, 'a', bytes(100));
  for (let i = 0; i < 5; i++) {
    firstFaults.next({ kind: 'delay', clock, milliseconds: 150 });
    secondFaults.next({ kind: 'delay', clock, milliseconds: 1_000 });
    const reading = read(driver, 'a');
    await clock.advance(150);
    expect((await reading).value).toEqual(bytes(100));
    await clock.advance(1_000);
  }
  // The first one is asked first, as before.
  const asked = secondFaults.signals.length;
  expect((await read(driver, 'a')).value).toEqual(bytes(100));
  expect(secondFaults.signals).toHaveLength(asked);
  await driver.close();
});

test('a first store that is slow but hits answers when the second one misses', async () => {
  const { clock, first, firstFaults, driver } = await mirror();
  await write(first, 'a', bytes(100));
  firstFaults.next({ kind: 'delay', clock, milliseconds: 1_000 });
  const reading = read(driver, 'a');
  await clock.advance(1_000);
  expect((await reading).value).toEqual(bytes(100));
  await driver.close();
});

/** What is left in a buffer that is too short, of a value that is {@link bytes}(100). */
async function beginning(clock: VirtualClock, driver: StorageDriver): Promise<Buffer> {
  const short = Buffer.alloc(60);
  const reading = driver.read([{ key: 'a', into: [short.subarray(0, 20), short.subarray(20)] }], never);
  expect((await inTime(clock, reading)).map(outcome)).toEqual(['size']);
  return short;
}

/** Does not find it, and has used the buffers meanwhile. */
function forgetful(store: StorageDriver): StorageDriver {
  return {
    ...passThrough(store),
    read: async (reads) => {
      for (const { into } of reads) for (const buffer of into) buffer.fill(7);
      return reads.map(() => ({ status: 'miss' }));
    },
  };
}

test.each<[string, (pair: Awaited<ReturnType<typeof mirror>>) => Promise<unknown>]>([
  ['both have it', async () => undefined],
  ['only the first one has it', ({ second }) => remove(second, 'a')],
  ['only the second one has it', ({ first }) => remove(first, 'a')],
  ['the first one is slow', async ({ clock, firstFaults }) => firstFaults.next(slow(clock))],
  [
    'both are slow',
    async ({ clock, firstFaults, secondFaults }) => {
      firstFaults.next(slow(clock));
      secondFaults.next(slow(clock));
    },
  ],
  [
    'the first one hangs',
    async ({ firstFaults }) => {
      firstFaults.next({ kind: 'hang' });
    },
  ],
  [
    'the first one is slow and the second one hangs',
    async ({ clock, firstFaults, secondFaults }) => {
      firstFaults.next(slow(clock));
      secondFaults.next({ kind: 'hang' });
    },
  ],
  ['the second one fails', async ({ secondFaults }) => secondFaults.next(answer('io'))],
  [
    'the second one rests',
    async ({ driver, secondFaults }) => {
      secondFaults.next({ kind: 'answer', results: [UNREACHABLE] });
      await has(driver, 'none');
    },
  ],
])('of a value that is too long, its beginning is given: %s', async (_, prepare) => {
  const pair = await mirror();
  await write(pair.driver, 'a', bytes(100));
  await prepare(pair);
  expect(await beginning(pair.clock, pair.driver)).toEqual(bytes(100).subarray(0, 60));
  pair.firstFaults.release();
  pair.secondFaults.release();
  await pair.driver.close();
});

test('of a value that is too long, its beginning stays when the other store used the buffers', async () => {
  const clock = new VirtualClock();
  const first = memoryDriver();
  const driver = mirrorDriver(first, forgetful(memoryDriver()), clock);
  await driver.open(never);
  await write(first, 'a', bytes(100));
  expect(await beginning(clock, driver)).toEqual(bytes(100).subarray(0, 60));
  await driver.close();
});

test('a second store that hangs keeps a write for a second, and a removal waits for what it still writes', async () => {
  const { clock, second, secondFaults, driver } = await mirror();
  secondFaults.next({ kind: 'hang' });
  const value = bytes(100);
  const writing = write(driver, 'a', value);
  await clock.advance(1_000);
  expect(outcome(await writing)).toBe('stored');
  value.fill(0);
  const removal = remove(driver, 'a');
  secondFaults.release();
  expect(outcome(await removal)).toBe('removed');
  expect((await has(second, 'a')).status).toBe('miss');
  await driver.close();
});

test('a list gives what either of them has, once', async () => {
  const { first, second, driver } = await mirror();
  const keys = Array.from({ length: 300 }, (_, i) => pageKey(i));
  for (const key of keys.slice(0, 200)) await write(first, key, bytes(1));
  for (const key of keys.slice(100)) await write(second, key, bytes(1));
  expect((await listAll(driver)).sort()).toEqual([...keys].sort());
  await driver.close();
});

test('closing ends calls of stores that hang', async () => {
  const { clock, firstFaults, secondFaults, driver } = await mirror();
  firstFaults.next({ kind: 'hang' });
  secondFaults.next({ kind: 'hang' });
  const writing = write(driver, 'a', bytes(10));
  await driver.close();
  expect(outcome(await writing)).toBe('closed');
  expect(clock.sleepers).toBe(0);
  firstFaults.release();
  secondFaults.release();
});

test('a store that hangs gets no more than some memory: writes and reads go on without it, and with it later', async () => {
  const { clock, first, firstFaults, secondFaults, driver } = await mirror();
  const value = bytes(24 << 20);
  const buffer = Buffer.alloc(value.length);
  for (let i = 0; i < 3; i++) {
    firstFaults.next({ kind: 'hang' });
    expect(outcome(await inTime(clock, write(driver, `k${i}`, value)))).toBe('stored');
  }
  const asked = firstFaults.signals.length;
  expect(outcome(await write(driver, 'later', value))).toBe('stored');
  expect((await driver.read([{ key: 'later', into: [buffer] }], never)).map(outcome)).toEqual(['hit']);
  // Also when it would be asked again, had it only not answered.
  await clock.advance(20_000);
  await clock.advance(20_000);
  expect(outcome(await write(driver, 'latest', value))).toBe('stored');
  expect(firstFaults.signals).toHaveLength(asked);
  // Nor is it asked where the other one rests.
  secondFaults.next({ kind: 'answer', results: [UNREACHABLE] });
  await has(driver, 'nothing');
  expect((await driver.read([{ key: 'later', into: [buffer] }], never)).map(outcome)).toEqual(['hit']);
  expect(firstFaults.signals).toHaveLength(asked);

  firstFaults.release();
  await new Promise(setImmediate);
  await clock.advance(20_000);
  expect(outcome(await write(driver, 'last', bytes(10)))).toBe('stored');
  expect((await has(first, 'last')).status).toBe('hit');
  await driver.close();
});

test('when both stores hang, a mirror takes nothing more', async () => {
  const { clock, firstFaults, secondFaults, driver } = await mirror();
  for (const faults of [firstFaults, secondFaults]) for (let i = 0; i < 6; i++) faults.next({ kind: 'hang' });
  const value = bytes(24 << 20);
  for (let i = 0; i < 4; i++) {
    expect(outcome(await inTime(clock, write(driver, 'a', value)))).toBe('timeout');
  }
  const asked = firstFaults.signals.length + secondFaults.signals.length;
  expect(asked).toBe(6);
  expect(outcome((await read(driver, 'a')).result)).toBe('timeout');
  expect(firstFaults.signals.length + secondFaults.signals.length).toBe(asked);
  for (const faults of [firstFaults, secondFaults]) faults.release();
  await driver.close();
});
