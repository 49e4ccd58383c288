import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import type { BreakerSettings } from '../../../src/storage/layers/breaker/breaker.ts';
import { breakerAround } from '../../../src/storage/layers/breaker/breaker-layer.ts';
import { deadlineLayer } from '../../../src/storage/layers/deadline.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { has, never, outcome, read } from '../support/calls.ts';

const SETTINGS: BreakerSettings = { failures: 3, error_rate: 0.5, window: 10, backoff: 1, max_backoff: 8 };

test('a store that hangs is left alone after a few deadlines, and asked again by itself', async () => {
  const clock = new VirtualClock();
  const store = createDriver('memory', {});
  let hangs = true;
  const milliseconds = { open: 100, close: 100, has: 100, read: 100, write: 100, remove: 100, list: 100 };
  const timed = deadlineLayer({ clock, milliseconds })({
    ...passThrough(store),
    has: (keys, signal) => (hangs ? new Promise(() => undefined) : store.has(keys, signal)),
  });
  const { driver, breaker } = breakerAround(timed, { clock, settings: SETTINGS, random: () => 0 });
  await driver.open(never);
  const calls = [1, 2, 3, 4].map(() => driver.has(['a'], never));
  await clock.advance(100);
  expect((await Promise.all(calls)).flat().map(outcome)).toEqual(Array(4).fill('timeout'));
  expect(breaker.state).toBe('open');
  await clock.advance(1050);
  expect(breaker.state).toBe('half-open');
  expect(outcome(await has(driver, 'a'))).toBe('skipped');
  await clock.advance(50);
  expect(breaker.state).toBe('open');
  hangs = false;
  await clock.advance(2000);
  expect(breaker.state).toBe('closed');
  await driver.close();
  expect(clock.sleepers).toBe(0);
});

/** A store whose looks and reads hang while it is ill, and whose looks answer nothing but a miss. */
async function hanging() {
  const clock = new VirtualClock();
  const store = createDriver('memory', {});
  const ill = { has: true, read: true };
  const milliseconds = {
    open: 100,
    close: 100,
    has: 5000,
    read: 10_000,
    write: 10_000,
    remove: 100,
    list: 100,
  };
  const timed = deadlineLayer({ clock, milliseconds })({
    ...passThrough(store),
    has: (keys, signal) => (ill.has ? new Promise(() => undefined) : store.has(keys, signal)),
    read: (reads, signal) => (ill.read ? new Promise(() => undefined) : store.read(reads, signal)),
  });
  const made = breakerAround(timed, { clock, settings: SETTINGS, random: () => 0 });
  await made.driver.open(never);
  /** A call that is given up after a while. */
  const giveUp = async (operation: 'has' | 'read', milliseconds: number) => {
    const patience = new AbortController();
    const call =
      operation === 'has'
        ? made.driver.has(['a'], patience.signal)
        : made.driver.read([{ key: 'a', into: [] }], patience.signal);
    await clock.advance(milliseconds);
    patience.abort();
    return outcome((await call)[0]!);
  };
  return { ...made, clock, ill, giveUp };
}

test.each(['has', 'read'] as const)(
  'a store that hangs is left alone when calls of %s were given up before their deadlines, and comes back',
  async (operation) => {
    const { driver, breaker, clock, ill, giveUp } = await hanging();
    for (let i = 0; i < 3; i++) expect(await giveUp(operation, 2000)).toBe('aborted');
    expect(breaker.state).toBe('open');
    await clock.advance(1000);
    expect(breaker.state).toBe('half-open');
    await clock.advance(5000);
    expect(breaker.state).toBe('open');
    Object.assign(ill, { has: false, read: false });
    await clock.advance(2000);
    expect(breaker.state).toBe('closed');
    expect((await read(driver, 'a')).result.status).toBe('miss');
    await driver.close();
    expect(clock.sleepers).toBe(0);
  },
);

test('a store whose reads hang is left alone also while it answers looks', async () => {
  const { driver, breaker, ill, giveUp } = await hanging();
  ill.has = false;
  for (let i = 0; i < 5; i++) {
    await has(driver, 'a');
    await giveUp('read', 1000);
  }
  expect(breaker.state).toBe('open');
  await driver.close();
});

test('calls that are given up soon, or while the store answers others, never open it', async () => {
  const { driver, breaker, ill, giveUp } = await hanging();
  for (let i = 0; i < 50; i++) expect(await giveUp(i % 2 ? 'has' : 'read', 900)).toBe('aborted');
  expect(breaker.state).toBe('closed');
  for (let i = 0; i < 50; i++) {
    ill.read = true;
    const late = giveUp('read', 2000);
    ill.read = false;
    await read(driver, 'a');
    expect(await late).toBe('aborted');
  }
  expect(breaker.state).toBe('closed');
  await driver.close();
});
