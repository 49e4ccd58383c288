import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageErrorKind } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import type { BreakerSettings } from '../../../src/storage/layers/breaker/breaker.ts';
import { breakerAround } from '../../../src/storage/layers/breaker/breaker-layer.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { failed } from '../../../src/storage/results.ts';
import { bytes, has, never, outcome, read, remove, write } from '../support/calls.ts';

const SETTINGS: BreakerSettings = { failures: 3, error_rate: 0.5, window: 10, backoff: 1, max_backoff: 8 };
const FAILURE_KINDS: StorageErrorKind[] = ['timeout', 'unreachable', 'io', 'denied'];
const OTHER_KINDS: StorageErrorKind[] = ['full', 'closed', 'aborted', 'skipped', 'size', 'corrupt'];

/** A store that does as it is told, behind a breaker on a clock that moves only when told to. */
async function broken(settings: BreakerSettings | null = SETTINGS) {
  const clock = new VirtualClock();
  const store = createDriver('memory', {});
  const base = passThrough(store);
  const plan = { kind: undefined as StorageErrorKind | undefined, calls: [] as string[] };
  const each = <R>(name: string, items: readonly unknown[], call: () => Promise<R[]>) => {
    plan.calls.push(name);
    const { kind } = plan;
    return kind ? Promise.resolve(items.map(() => failed(kind, 'as planned'))) : call();
  };
  const made = breakerAround(
    {
      ...base,
      has: (keys, signal) => each('has', keys, () => base.has(keys, signal)),
      read: (reads, signal) => each('read', reads, () => base.read(reads, signal)),
      write: (writes, signal) => each('write', writes, () => base.write(writes, signal)),
      remove: (keys, signal) => each('remove', keys, () => base.remove(keys, signal)),
    },
    // No chance: the longest wait.
    { clock, settings: settings ?? undefined, random: () => 0 },
  );
  await made.driver.open(never);
  await write(made.driver, 'a', bytes(10));
  plan.calls = [];
  const fail = async (times: number, kind: StorageErrorKind = 'unreachable') => {
    plan.kind = kind;
    for (let i = 0; i < times; i++) await has(made.driver, 'a');
  };
  return { ...made, clock, plan, fail };
}

test('it opens after so many failed calls in a row, and then no call reaches the store', async () => {
  const { driver, breaker, plan, fail } = await broken();
  await fail(2);
  expect(breaker.state).toBe('closed');
  await fail(1);
  expect(breaker.state).toBe('open');
  plan.calls = [];
  const skipped = { status: 'error', error: { kind: 'skipped', message: expect.stringMatching(/open/) } };
  expect(await has(driver, 'a')).toEqual(skipped);
  expect((await read(driver, 'a')).result).toEqual(skipped);
  expect(await write(driver, 'b', bytes(1))).toEqual(skipped);
  expect(await remove(driver, 'a')).toEqual(skipped);
  expect(plan.calls).toEqual([]);
  await driver.close();
});

test('a call that is answered in between begins the count anew', async () => {
  const { breaker, plan, driver, fail } = await broken({ ...SETTINGS, error_rate: 1 });
  for (let i = 0; i < 10; i++) {
    await fail(2);
    plan.kind = undefined;
    await has(driver, 'a');
  }
  expect(breaker.state).toBe('closed');
});

test('it opens at a share of failed calls in its window, from ten calls on', async () => {
  const { breaker, plan, driver, fail } = await broken({ ...SETTINGS, failures: 1000 });
  for (let i = 0; i < 4; i++) {
    await fail(1);
    plan.kind = undefined;
    await has(driver, 'a');
  }
  expect(breaker.state).toBe('closed');
  // With the write before, the tenth call, and the fifth that fails.
  await fail(1);
  expect(breaker.state).toBe('open');
  await driver.close();
});

test('failures that are older than the window do not count', async () => {
  const { breaker, clock, fail } = await broken({ ...SETTINGS, failures: 1000 });
  for (let i = 0; i < 20; i++) {
    await fail(4);
    await clock.advance(11_000);
  }
  expect(breaker.state).toBe('closed');
});

test.each(FAILURE_KINDS)('calls that fail with %s open it', async (kind) => {
  const { driver, breaker, fail } = await broken();
  await fail(3, kind);
  expect(breaker.state).toBe('open');
  await driver.close();
});

test.each(OTHER_KINDS)('calls that fail with %s never open it', async (kind) => {
  const { driver, breaker, plan, fail } = await broken();
  await fail(50, kind);
  for (let i = 0; i < 50; i++) await write(driver, 'b', bytes(1));
  expect(breaker.state).toBe('closed');
  plan.kind = undefined;
  expect((await read(driver, 'a')).value).toEqual(bytes(10));
});

test.each(['full', 'denied', 'io'] as const)(
  'a store that takes no writes, %s, is still read from',
  async (kind) => {
    const { driver, breaker, plan } = await broken();
    for (let i = 0; i < 50; i++) {
      plan.kind = kind;
      expect(outcome(await write(driver, 'b', bytes(1)))).toBe(kind);
      plan.kind = undefined;
      expect((await read(driver, 'a')).value).toEqual(bytes(10));
    }
    expect(breaker.state).toBe('closed');
  },
);

test('one key that is answered shows that the store is there', async () => {
  const store = createDriver('memory', {});
  const { driver, breaker } = breakerAround(
    {
      ...passThrough(store),
      has: async (keys) => keys.map((key) => (key === 'bad' ? failed('io', 'no') : { status: 'miss' })),
    },
    { clock: new VirtualClock(), settings: SETTINGS },
  );
  await driver.open(never);
  for (let i = 0; i < 100; i++) await driver.has(['bad', 'a'], never);
  expect(breaker.state).toBe('closed');
});

test('it closes by itself once the store answers, and calls go through again', async () => {
  const { driver, breaker, clock, plan, fail } = await broken();
  await fail(3);
  plan.kind = undefined;
  await clock.advance(999);
  expect(breaker.state).toBe('open');
  expect(outcome(await has(driver, 'a'))).toBe('skipped');
  await clock.advance(1);
  expect(breaker.state).toBe('closed');
  expect((await read(driver, 'a')).value).toEqual(bytes(10));
  expect(clock.sleepers).toBe(0);
});

test('while the store stays away it is asked by one look at a time, less and less often', async () => {
  const { driver, breaker, clock, plan, fail } = await broken();
  await fail(3);
  const asked: number[] = [];
  for (let second = 1; second <= 40; second++) {
    plan.calls = [];
    await clock.advance(1000);
    expect(breaker.state).toBe('open');
    expect(['', 'has']).toContain(plan.calls.join());
    if (plan.calls.length > 0) asked.push(second);
  }
  expect(asked).toEqual([1, 3, 7, 15, 23, 31, 39]);
  await driver.close();
  expect(clock.sleepers).toBe(0);
  plan.calls = [];
  await clock.advance(100_000);
  expect(plan.calls).toEqual([]);
});

test('a store that fails again soon after it came back is asked as rarely as before', async () => {
  const { breaker, clock, plan, fail } = await broken();
  await fail(3);
  await clock.advance(3000);
  plan.kind = undefined;
  await clock.advance(4000);
  expect(breaker.state).toBe('closed');
  await fail(3);
  plan.kind = undefined;
  await clock.advance(7999);
  expect(breaker.state).toBe('open');
  await clock.advance(1);
  expect(breaker.state).toBe('closed');
  // After a quiet while it is asked soon.
  await clock.advance(10_000);
  await fail(3);
  plan.kind = undefined;
  await clock.advance(1000);
  expect(breaker.state).toBe('closed');
});

test('chance makes a wait shorter, by half of it at most', async () => {
  for (const random of [0, 0.5, 0.999]) {
    const clock = new VirtualClock();
    const { driver, breaker } = breakerAround(
      { ...passThrough(createDriver('memory', {})), has: async (keys) => keys.map(() => failed('io', 'no')) },
      { clock, settings: SETTINGS, random: () => random },
    );
    await driver.open(never);
    for (let i = 0; i < 3; i++) await has(driver, 'a');
    expect(breaker.state).toBe('open');
    await clock.advance(1000 * (1 - random / 2) - 1);
    const attempts = clock.sleepers;
    expect(attempts).toBe(1);
    await clock.advance(1);
    // The second wait has begun, which is twice as long.
    expect(breaker.state).toBe('open');
    await driver.close();
  }
});

test('a call that began before it opened says nothing once it has closed again', async () => {
  const waiting: (() => void)[] = [];
  const clock = new VirtualClock();
  const { driver, breaker } = breakerAround(
    {
      ...passThrough(createDriver('memory', {})),
      has: async (keys) => keys.map(() => (keys[0] === 'a' ? failed('io', 'no') : { status: 'miss' })),
      read: async (reads) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return reads.map(() => failed('timeout', 'late'));
      },
    },
    { clock, settings: SETTINGS, random: () => 0 },
  );
  await driver.open(never);
  const late = [1, 2, 3, 4, 5].map(() => driver.read([{ key: 'b', into: [] }], never));
  for (let i = 0; i < 3; i++) await has(driver, 'a');
  await clock.advance(1000);
  expect(breaker.state).toBe('closed');
  for (const go of waiting) go();
  await Promise.all(late);
  expect(breaker.state).toBe('closed');
});

test('held open it asks the store nothing, however long, and decides again when it is released', async () => {
  const { driver, breaker, clock, plan, fail } = await broken();
  breaker.hold();
  breaker.hold();
  expect(breaker.state).toBe('held');
  const { error } = (await has(driver, 'a')) as { error?: { kind: string; message: string } };
  expect(error).toEqual({ kind: 'skipped', message: 'The breaker is open: an operator holds it open.' });
  await clock.advance(1_000_000);
  expect(plan.calls).toEqual([]);
  breaker.release();
  await clock.advance(0);
  expect(breaker.state).toBe('closed');
  expect((await read(driver, 'a')).value).toEqual(bytes(10));

  breaker.hold();
  plan.kind = 'unreachable';
  breaker.release();
  await clock.advance(0);
  expect(breaker.state).toBe('open');
  breaker.release();
  expect(breaker.state).toBe('open');
  plan.kind = undefined;
  await clock.advance(1000);
  expect(breaker.state).toBe('closed');
  // By hand while it is open by itself, too.
  await fail(3);
  breaker.hold();
  await clock.advance(100_000);
  expect(breaker.state).toBe('held');
  expect(clock.sleepers).toBe(0);
});

test('without settings it never opens by itself, and can be held all the same', async () => {
  const { driver, breaker, plan, fail } = await broken(null);
  await fail(1000);
  expect(breaker.state).toBe('closed');
  breaker.hold();
  plan.calls = [];
  expect(outcome(await has(driver, 'a'))).toBe('skipped');
  breaker.release();
  expect(breaker.state).toBe('closed');
  expect(plan.calls).toEqual([]);
});

test('when it was closed for good, the store says so by itself', async () => {
  const { driver, breaker } = await broken();
  breaker.hold();
  await driver.close();
  expect(outcome(await has(driver, 'a'))).toBe('closed');
});

test('lists go through, whatever its state', async () => {
  const { driver, breaker } = await broken();
  breaker.hold();
  expect((await driver.list!(undefined, never)).keys).toEqual(['a']);
});

type Step = 'ok' | 'fail' | 'neutral' | 'hold' | 'release' | 'heal' | 'break' | number;

/** The rules in as few words as possible, without a window: it is made larger than any run. */
class Model {
  state = 'closed';
  inARow = 0;
  /** With the write that {@link broken} begins with. */
  calls = 1;
  failures = 0;

  call(step: 'ok' | 'fail' | 'neutral'): void {
    if (this.state !== 'closed' || step === 'neutral') return;
    this.calls++;
    this.inARow = step === 'fail' ? this.inARow + 1 : 0;
    if (step === 'fail') this.failures++;
    const tooMany = this.calls >= 10 && this.failures * 2 >= this.calls;
    if (step === 'fail' && (this.inARow >= 3 || tooMany)) this.state = 'open';
  }

  close(): void {
    this.state = 'closed';
    this.inARow = this.calls = this.failures = 0;
  }
}

test('whatever happens, it is in the state that its rules say, and lets through only what it should', async () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Step>('ok', 'fail', 'fail', 'fail', 'neutral') },
    { weight: 2, arbitrary: fc.constantFrom<Step>('hold', 'release', 'heal', 'break') },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const { driver, breaker, clock, plan } = await broken({ ...SETTINGS, window: 1e9, max_backoff: 4 });
      const model = new Model();
      let isWell = true;
      const mood = () => {
        plan.kind = isWell ? undefined : 'unreachable';
      };
      for (const each of steps) {
        if (typeof each === 'number') {
          await clock.advance(each);
          // Whatever the wait was, it is over.
          if (each < 5000 && model.state === 'open') await clock.advance(5000);
          if (model.state === 'open' && isWell) model.close();
        } else if (each === 'hold') {
          breaker.hold();
          model.state = 'held';
        } else if (each === 'release') {
          breaker.release();
          await clock.advance(0);
          if (model.state === 'held' && isWell) model.close();
          else if (model.state === 'held') model.state = 'open';
        } else if (each === 'heal' || each === 'break') isWell = each === 'heal';
        else {
          plan.calls = [];
          plan.kind = each === 'ok' ? undefined : each === 'fail' ? 'timeout' : 'full';
          const answer = outcome(await has(driver, 'a'));
          const expected = { ok: 'hit', fail: 'timeout', neutral: 'full' }[each];
          expect(answer).toBe(model.state === 'closed' ? expected : 'skipped');
          expect(plan.calls.length).toBe(model.state === 'closed' ? 1 : 0);
          model.call(each);
        }
        mood();
        expect(breaker.state).toBe(model.state);
        expect(clock.sleepers).toBe(model.state === 'open' ? 1 : 0);
      }
      await driver.close();
      expect(clock.sleepers).toBe(0);
    }),
    { numRuns: 300 },
  );
});
