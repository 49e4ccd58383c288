import { describe, expect, it } from 'vitest';
import type { KeyedOperation } from '../../src/storage/driver.ts';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import { never } from '../storage/support/calls.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';
import type { Trouble } from './support/troubled-store.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };
const COMPLETE = { policy: 'wait_complete' } as const;

/** All calls of one kind go wrong in one way. */
function always(operation: KeyedOperation, trouble: Trouble) {
  return (other: KeyedOperation) => (other === operation ? trouble : undefined);
}

describe('S2: while nothing runs', () => {
  it('writes go on, and the cache is not flushed under them', async () => {
    const simulation = new TieredSimulation();
    simulation.store.plan = always('write', 500);
    simulation.attach();
    simulation.submit({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    await simulation.steps(100);
    expect(simulation.held()).toMatchObject({ running: 0, waiting: 0, backups: 1 });
    expect(simulation.scheduler.flush()).toBe(false);
    await simulation.steps(500);
    expect(simulation.store.stored.size).toBe(3);
    expect(simulation.scheduler.flush()).toBe(true);
    await simulation.settle();
  });

  it('pages arrive for the one request that waits', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.store.plan = always('read', 500);
    const told = simulation.submit({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    await simulation.steps(100);
    expect(simulation.held()).toMatchObject({ running: 0, waiting: 1, prefetches: 1 });
    expect(simulation.scheduler.flush()).toBe(false);
    await simulation.steps(500);
    expect(told.started).toEqual([{ ...NOTHING, storage: 12 }]);
    await simulation.settle();
  });
});

describe('S3: an abort', () => {
  /** L2 and its budget suffice for the stored pages exactly: what leaks is missed at once. */
  async function tight(): Promise<TieredSimulation> {
    const simulation = new TieredSimulation({ hostPages: 12, maxRunningRequests: 1, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcdef');
    return simulation;
  }

  /** A request that comes after it gets everything that is stored. */
  async function expectNothingLeaked(simulation: TieredSimulation): Promise<void> {
    simulation.store.plan = () => undefined;
    simulation.store.release();
    await simulation.drain();
    expect(simulation.held()).toMatchObject({ prefetches: 0, waiting: 0, running: 0 });
    simulation.forget();
    expect(simulation.freeSlots).toBe(12);
    const told = await simulation.serve({ id: 99, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 24 }]);
    await simulation.settle();
  }

  it.each<[state: string, operation: KeyedOperation, trouble: Trouble, slots: number]>([
    ['asks', 'has', 50, 0],
    ['asks and gets no answer', 'has', 'hang', 0],
    ['reads', 'read', 50, 6],
    ['reads and gets no answer', 'read', 'hang', 6],
  ])('while the prefetch %s ends it at once, and leaks nothing', async (_, operation, trouble, slots) => {
    const simulation = await tight();
    simulation.store.plan = always(operation, trouble);
    simulation.submit({ id: 1, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.steps(10);
    expect(simulation.held()).toMatchObject({ waiting: 1, prefetches: 1 });
    simulation.abort(1);
    expect(simulation.held().prefetches).toBe(0);
    await simulation.steps(1);
    // Nobody waits for the driver; what it may still write to is not used again before it is done.
    expect(simulation.held().waiting).toBe(0);
    expect(simulation.freeSlots).toBe(12 - slots);
    await expectNothingLeaked(simulation);
  });

  it('while the prefetch waits for room leaks nothing', async () => {
    const simulation = await tight();
    await simulation.stored('xyz');
    simulation.store.plan = always('read', 50);
    simulation.submit({ id: 1, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.steps(1);
    const reads = simulation.store.keys('read').length;
    simulation.submit({ id: 2, prompt: pagesOf('xyz1'), maxTokens: 1 });
    await simulation.steps(10);
    expect(simulation.held()).toMatchObject({ waiting: 2, prefetches: 2 });
    simulation.abort(2);
    expect(simulation.held().prefetches).toBe(1);
    simulation.abort(1);
    await simulation.drain();
    expect(simulation.store.keys('read')).toHaveLength(reads);
    await expectNothingLeaked(simulation);
  });

  it('after the pages have arrived leaks nothing', async () => {
    const simulation = await tight();
    simulation.submit({ id: 1, prompt: 9, maxTokens: 200, ignoreEnd: true });
    simulation.submit({ id: 2, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.steps(20);
    expect(simulation.counts.prefetchedTokens).toBe(24);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 1, prefetches: 0 });
    simulation.abort(2);
    simulation.abort(1);
    await expectNothingLeaked(simulation);
  });

  it('amid a batch, after pages have arrived, leaks nothing', async () => {
    const simulation = await tight();
    simulation.submit({ id: 1, prompt: 9, maxTokens: 200, ignoreEnd: true });
    await simulation.steps(3);
    simulation.submit({ id: 2, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.clock.advance(0.5);
    expect(simulation.counts.prefetchedTokens).toBe(24);
    simulation.abort(2);
    simulation.abort(1);
    await expectNothingLeaked(simulation);
  });
});

describe('S4: a request that waits for all of its prefetch', () => {
  it.each(['', '1', 'a', 'a1'])('ends where nothing is stored of it: "%s"', async (letters) => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    simulation.attach();
    const told = await simulation.serve({ id: 1, prompt: pagesOf(`${letters}2`), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    await simulation.settle();
  });

  it.each<[KeyedOperation, number]>([
    ['has', 5_000],
    ['read', 10_000],
  ])('ends at the deadline of a %s that hangs', async (operation, deadline) => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc');
    const began = simulation.clock.now();
    simulation.store.plan = always(operation, 'hang');
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.at).toEqual([began + deadline + 1]);
    await simulation.settle();
  });

  it('ends when the storage is detached', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.store.plan = always('read', 'hang');
    const told = simulation.submit({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    await simulation.steps(10);
    simulation.detach();
    await simulation.steps(2);
    expect(told.started).toEqual([NOTHING]);
    await simulation.settle();
  });
});

describe('S5: a page that cannot be read', () => {
  it.each<Trouble>(['fail', 'miss', 'damage'])('is asked for once per request: %s', async (trouble) => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.store.plan = always('read', trouble);
    const before = simulation.store.calls.length;
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 4, ignoreEnd: true });
    const calls = simulation.store.calls.slice(before);
    for (const operation of ['has', 'read']) {
      const keys = calls.filter((call) => call.operation === operation).flatMap((call) => call.keys);
      expect([operation, keys.length, new Set(keys).size]).toEqual([operation, 3, 3]);
    }
    await simulation.settle();
  });
});

describe('S6: a storage that hangs', () => {
  it.each<KeyedOperation>(['has', 'read'])(
    'delays a request by its patience at most: %s',
    async (operation) => {
      const simulation = new TieredSimulation({
        prefetch: { timeoutBase: 1.5, timeoutPerKiToken: 1024 / 4000 },
      });
      await simulation.stored('abc');
      const began = simulation.clock.now();
      simulation.store.plan = always(operation, 'hang');
      const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
      // 12 tokens are waited for: 3 ms more.
      expect(told.at).toEqual([began + 1503 + 1]);
      await simulation.settle();
    },
  );

  it('is not asked by the next requests, and tried again later', async () => {
    const simulation = new TieredSimulation({ prefetch: { timeoutBase: 1, timeoutPerKiToken: 0 } });
    await simulation.stored('abc');
    simulation.store.plan = always('read', 'hang');
    const waits: number[] = [];
    for (let id = 0; id < 34; id++) {
      const began = simulation.clock.now();
      const { at } = await simulation.serve({ id, prompt: pagesOf('abc1'), maxTokens: 1 });
      waits.push(at[0]! - began);
      simulation.forget();
    }
    expect(waits.filter((wait) => wait > 1)).toEqual([1001, 1001]);
    expect([waits[0], waits[32]]).toEqual([1001, 1001]);
    await simulation.settle();
  });

  it('says nothing of the one that takes its place, which is asked at once', async () => {
    const simulation = new TieredSimulation({ prefetch: { timeoutBase: 1, timeoutPerKiToken: 0 } });
    await simulation.stored('abc');
    simulation.store.plan = always('read', 'hang');
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    simulation.forget();
    simulation.store.plan = () => undefined;
    simulation.attach();
    const told = await simulation.serve({ id: 2, prompt: pagesOf('abc2'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 12 }]);
    await simulation.settle();
  });

  it('does not delay a request that does not wait', async () => {
    const simulation = new TieredSimulation({ prefetch: { policy: 'best_effort' } });
    await simulation.stored('abc');
    const began = simulation.clock.now();
    simulation.store.plan = () => 'hang';
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.at).toEqual([began + 1]);
    await simulation.settle();
  });
});

describe('S7: serving goes on', () => {
  it('with a storage that is down from the start, and uses it when it is there', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    const driver = memoryDriver();
    simulation.attach(driver);
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(simulation.counts.notStored).toEqual({ error: 12 });
    await driver.open(never);
    await simulation.serve({ id: 2, prompt: pagesOf('abc1'), maxTokens: 1 });
    simulation.forget();
    const told = await simulation.serve({ id: 3, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 12 }]);
    await simulation.settle();
  });

  it('when the storage goes away', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc', 'xyz');
    for (const [id, trouble] of (['reject', 'throw', 'fail', 'hang'] as const).entries()) {
      simulation.store.plan = () => trouble;
      const told = await simulation.serve({ id, prompt: pagesOf('abc1'), maxTokens: 1 });
      expect(told.started).toEqual([NOTHING]);
      simulation.forget();
    }
    await simulation.settle();
  });
});

it('S8: pages that have arrived wake the scheduler at once', async () => {
  const simulation = new TieredSimulation({ prefetch: COMPLETE });
  await simulation.stored('abc');
  const delays: Record<KeyedOperation, number> = { has: 7, read: 11, write: 0, remove: 0 };
  simulation.store.plan = (operation) => delays[operation];
  const began = simulation.clock.now();
  const { steps } = simulation.scheduler.report();
  const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
  expect(told.at).toEqual([began + 7 + 11 + 1]);
  expect(simulation.scheduler.report().steps - steps).toBe(1);
  await simulation.settle();
});
