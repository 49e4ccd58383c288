import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };
const COMPLETE = { policy: 'wait_complete' } as const;

describe('O11: a tier that is slower than computing', () => {
  it('is not asked any more when it is the storage, and tried again later', async () => {
    const simulation = new TieredSimulation({ hostPages: 8, prefetch: COMPLETE });
    await simulation.stored('ab');
    simulation.store.plan = (operation) => (operation === 'read' ? 1000 : undefined);
    await simulation.serve({ id: 0, prompt: pagesOf('ab1'), maxTokens: 1 });
    expect(simulation.counts.prefetchedTokens).toBe(8);
    const asked = () => simulation.store.calls.filter(({ operation }) => operation === 'has').length;
    const before = asked();
    const cold = (id: number) =>
      simulation.serve({ id, prompt: pagesOf(`${'cdefghij'[id % 8]}xy1`), maxTokens: 1 });
    for (let id = 1; id < 32; id++) {
      simulation.forget();
      await cold(id);
    }
    expect(asked()).toBe(before);
    simulation.forget();
    await cold(32);
    expect(asked()).toBe(before + 1);
    await simulation.settle();
  });

  it('is not loaded from when it is L2, and what is computed instead is not called cached', async () => {
    const simulation = new TieredSimulation({ cache: { unusedDeviceTokens: 0 } });
    const { clock, engine } = simulation;
    const { restore } = engine.pages;
    const now = clock.now.bind(clock);
    let spent = 0;
    clock.now = () => now() + spent;
    engine.pages.restore = (...args) => {
      spent += 1000;
      return restore.apply(engine.pages, args);
    };
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    const slow = await simulation.serve({ id: 2, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(slow.started).toEqual([{ ...NOTHING, host: 12 }]);
    const computed = simulation.watch.computed;
    const told = await simulation.serve({ id: 3, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    expect(simulation.watch.computed - computed).toBe(13);
    await simulation.settle();
  });
});

describe('O12: a prefetch', () => {
  it('takes host pages only when it knows how many are stored', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('ab');
    simulation.store.plan = () => 20;
    simulation.submit({ id: 1, prompt: pagesOf('abcdefgh'), maxTokens: 1 });
    await simulation.steps(10);
    expect(simulation.freeSlots).toBe(64);
    await simulation.steps(20);
    // Two pages, and one for what may be stored behind them.
    expect(simulation.freeSlots).toBe(61);
    await simulation.settle();
  });

  it('evicts what nobody uses to make room', async () => {
    const simulation = new TieredSimulation({
      hostPages: 12,
      cache: { unusedDeviceTokens: 0 },
      prefetch: COMPLETE,
    });
    await simulation.stored('abc', 'abcdef');
    for (const [id, letters] of ['rst', 'uvw', 'xyz', 'opq'].entries())
      await simulation.serve({ id, prompt: pagesOf(letters), maxTokens: 1 });
    expect(simulation.freeSlots).toBe(0);
    const told = await simulation.serve({ id: 9, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 24 }]);
    expect(simulation.counts.missed).toEqual({});
    await simulation.settle();
  });

  it('takes the place of copies of what running requests have on the device', async () => {
    const simulation = new TieredSimulation({ hostPages: 12, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcdef');
    for (const [id, letters] of ['rstuvw', 'ijklmn'].entries())
      simulation.submit({ id, prompt: pagesOf(letters), maxTokens: 100, ignoreEnd: true });
    await simulation.steps(40);
    expect(simulation.freeSlots).toBe(0);
    const told = simulation.submit({ id: 9, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.drain();
    expect(told.started).toEqual([{ ...NOTHING, storage: 24 }]);
    expect(simulation.counts.missed).toEqual({});
    await simulation.settle();
  });

  it('waits for room that others will give back, instead of bringing a part', async () => {
    const simulation = new TieredSimulation({ hostPages: 12, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcd', 'wxy', 'wxyz');
    const asked = ['abcd1', 'wxyz1'].map((letters, id) =>
      simulation.submit({ id, prompt: pagesOf(letters), maxTokens: 1 }),
    );
    await simulation.drain();
    for (const { started } of asked) expect(started).toEqual([{ ...NOTHING, storage: 16 }]);
    expect(simulation.counts.missed).toEqual({});
    await simulation.settle();
  });

  it('reports what it has no room for, and brings the rest', async () => {
    const simulation = new TieredSimulation({ hostPages: 8, prefetch: COMPLETE });
    await simulation.stored('ab', 'abcd', 'abcdef');
    const told = await simulation.serve({ id: 9, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 16 }]);
    expect(simulation.counts.missed).toEqual({ no_room: 8 });
    await simulation.settle();
  });
});

describe('O13: the bound', () => {
  it('of L2 holds, and of what waits to be written', async () => {
    const simulation = new TieredSimulation({ cells: 64, hostPages: 16 });
    simulation.store.plan = (operation) => (operation === 'write' ? 'hang' : undefined);
    simulation.attach();
    for (let id = 0; id < 30; id++) {
      await simulation.serve({
        id,
        prompt: pagesOf(`${'abcdefgh'[id % 8]}${'ijklm'[id % 5]}xyz`),
        maxTokens: 1,
      });
      const { hostPages, queued, inFlight } = simulation.scheduler.report().cache;
      expect(hostPages.used).toBeLessThanOrEqual(16);
      expect(queued).toBeLessThanOrEqual(4);
      expect(inFlight.backup).toBeLessThanOrEqual(2);
      // A quarter of L2 may be kept for a storage that hangs.
      expect(simulation.freeSlots + hostPages.used).toBeGreaterThanOrEqual(12);
    }
    await simulation.settle();
  });

  it('of L1 holds for what nobody uses', async () => {
    const simulation = new TieredSimulation({ cache: { unusedDeviceTokens: 20 } });
    for (const [id, letters] of ['abc', 'abxy', 'rst12', 'uvwxy', 'rst13'].entries()) {
      await simulation.serve({ id, prompt: pagesOf(letters), maxTokens: 5, ignoreEnd: true });
      expect(simulation.engine.cellsInUse).toBeLessThanOrEqual(20);
    }
    await simulation.settle();
  });

  it('of memory for namespaces holds: a salt that holds nothing leaves nothing', async () => {
    const simulation = new TieredSimulation({ cells: 32, hostPages: 4 });
    simulation.attach();
    for (let id = 0; id < 40; id++) {
      const prefixSeed = id.toString(16).padStart(64, '0');
      await simulation.serve({ id, prompt: pagesOf('abc1'), prefixSeed, maxTokens: 1 });
    }
    // What L1 and L2 hold, and no more.
    expect(simulation.keys.size).toBeLessThanOrEqual(8 + 4);
    await simulation.settle();
  });
});

describe('O14: cached tokens', () => {
  it('are those that no tier computed, for every tier', async () => {
    const simulation = new TieredSimulation({ hostPages: 32, prefetch: COMPLETE });
    await simulation.stored('abcdef');
    const before = { compared: simulation.watch.compared, computed: simulation.watch.computed };
    await simulation.serve({ id: 1, prompt: pagesOf('abcd1'), maxTokens: 1 });
    const told = await simulation.serve({ id: 2, prompt: pagesOf('abcdefg1'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 16, host: 0, storage: 8 }]);
    expect(simulation.watch.compared - before.compared).toBe(2);
    expect(simulation.watch.computed - before.computed).toBe(1 + 5);
    await simulation.settle();
  });

  it('are none where the cache is off', async () => {
    const simulation = new TieredSimulation({ cache: { radixCache: false } });
    for (const id of [1, 2]) {
      const told = await simulation.serve({ id, prompt: pagesOf('abc1'), maxTokens: 1 });
      expect(told.started).toEqual([NOTHING]);
    }
    expect(simulation.watch.computed).toBe(26);
    await simulation.settle();
  });
});
