import { expect, test } from 'vitest';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { deadlineLayer } from '../../src/storage/layers/deadline.ts';
import { bytes, has, never, outcome, read, settled, write } from './support/calls.ts';
import { type Fault, Faults } from './support/faulty-driver.ts';

const milliseconds = { open: 100, close: 200, has: 300, read: 400, write: 500, remove: 600, list: 700 };

async function bounded() {
  const clock = new VirtualClock();
  const faults = new Faults();
  const memory = createDriver('memory', {});
  const driver = deadlineLayer({ clock, milliseconds })(faults.wrap(memory));
  await driver.open(never);
  return { clock, faults, memory, driver };
}

/** Whether a promise has resolved by now. */
async function isDone(work: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return (await Promise.race([work, new Promise((resolve) => setImmediate(resolve, pending))])) !== pending;
}

test('S6: a store that hangs is answered for at the deadline', async () => {
  const { clock, faults, driver } = await bounded();
  faults.next({ kind: 'hang' }).next({ kind: 'hang' }).next({ kind: 'hang' }).next({ kind: 'hang' });
  const calls = {
    has: driver.has(['a', 'b'], never),
    read: driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], never),
    write: driver.write([{ key: 'a', parts: [bytes(1)] }], never),
    remove: driver.remove(['a'], never),
  };
  for (const [operation, call] of Object.entries(calls)) {
    const deadline = milliseconds[operation as keyof typeof calls];
    await clock.advance(deadline - clock.now() - 1);
    expect(await isDone(call)).toBe(false);
    await clock.advance(1);
    expect((await call).map(outcome)).toEqual((await call).map(() => 'timeout'));
  }
  expect(await calls.has).toHaveLength(2);
  expect(faults.signals.every(({ aborted }) => aborted)).toBe(true);
  expect(clock.sleepers).toBe(0);
});

test('S6: buffers are free when the hanging store has let go of them, and the results say when', async () => {
  const { clock, faults, driver } = await bounded();
  await write(driver, 'a', Buffer.alloc(100, 1));
  faults.next({ kind: 'hang' });
  const buffer = Buffer.alloc(100);
  const call = driver.read([{ key: 'a', into: [buffer] }], never);
  await clock.advance(milliseconds.read);
  const results = await call;
  expect(results.map(outcome)).toEqual(['timeout']);
  const free = settled(results);
  expect(await isDone(free)).toBe(false);
  expect(buffer[0]).toBe(0);
  faults.release();
  await free;
  expect(buffer[0]).toBe(1);
});

test('a caller that leaves is answered at once, and its buffers are free later', async () => {
  const { clock, faults, driver } = await bounded();
  faults.next({ kind: 'hang' });
  const leaving = new AbortController();
  const call = driver.write([{ key: 'a', parts: [bytes(5)] }], leaving.signal);
  leaving.abort();
  const results = await call;
  expect(results.map(outcome)).toEqual(['aborted']);
  expect(faults.signals[0]?.aborted).toBe(true);
  const free = settled(results);
  expect(await isDone(free)).toBe(false);
  faults.release();
  await free;
  expect(clock.sleepers).toBe(0);
});

test('a call in time keeps its results, and leaves no timer behind', async () => {
  const { clock, faults, driver } = await bounded();
  faults.next({ kind: 'delay', clock, milliseconds: 499 });
  const call = write(driver, 'a', bytes(5));
  await clock.advance(499);
  expect(await call).toEqual({ status: 'stored' });
  expect((await read(driver, 'a')).value).toEqual(bytes(5));
  expect(clock.sleepers).toBe(0);
});

test.each<Fault>([
  { kind: 'throw', message: 'sudden' },
  { kind: 'reject', message: 'later' },
  { kind: 'answer', results: undefined },
  { kind: 'answer', results: 'hit' },
  { kind: 'answer', results: [] },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }] },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }, undefined] },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }, { status: 'great' }] },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }, { status: 'hit' }] },
  {
    kind: 'answer',
    results: [
      { status: 'hit', bytes: 1 },
      { status: 'hit', bytes: 11 },
    ],
  },
  {
    kind: 'answer',
    results: [
      { status: 'hit', bytes: 1 },
      { status: 'hit', bytes: -1 },
    ],
  },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }, { status: 'error' }] },
  {
    kind: 'answer',
    results: [
      { status: 'hit', bytes: 1 },
      { status: 'error', error: { kind: 3, message: '' } },
    ],
  },
  { kind: 'answer', results: [{ status: 'hit', bytes: 1 }, { status: 'stored' }] },
])('a driver whose read is wrong (%j) fails the keys with kind io and nothing else', async (fault) => {
  const { faults, driver } = await bounded();
  faults.next(fault);
  const into = [Buffer.alloc(10)];
  const results = await driver.read(
    [
      { key: 'a', into },
      { key: 'b', into },
    ],
    never,
  );
  expect(results.map(outcome)).toEqual(['io', 'io']);
  expect(await has(driver, 'a')).toEqual({ status: 'miss' });
});

test('a failure with a kind passes as it is', async () => {
  const { faults, driver } = await bounded();
  const results = [{ status: 'error', error: { kind: 'full', message: 'no room' } }];
  faults.next({ kind: 'answer', results });
  expect(await driver.write([{ key: 'a', parts: [] }], never)).toEqual(results);
});

test('opening and listing fail at their deadlines with an error from the table', async () => {
  const clock = new VirtualClock();
  const hang = () => new Promise<never>(() => {});
  const driver = deadlineLayer({ clock, milliseconds })({
    ...createDriver('memory', {}),
    open: hang,
    list: hang,
  });
  const opening = expect(driver.open(never)).rejects.toMatchObject({
    code: 'storage_failed',
    message: "Storage backend 'memory': open took longer than 0.1 s.",
  });
  await clock.advance(100);
  await opening;
  const listing = expect(driver.list?.(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
  await clock.advance(700);
  await listing;
});

test('closing ends at its deadline, also where the driver throws', async () => {
  const clock = new VirtualClock();
  const memory = createDriver('memory', {});
  const hanging = deadlineLayer({ clock, milliseconds })({ ...memory, close: () => new Promise(() => {}) });
  const closing = hanging.close();
  await clock.advance(200);
  await closing;
  const throwing = deadlineLayer({ clock, milliseconds })({
    ...memory,
    close: () => {
      throw new Error('no');
    },
    usage: () => {
      throw new Error('no');
    },
  });
  await throwing.close();
  expect(throwing.usage?.()).toBeUndefined();
});
