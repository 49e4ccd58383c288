import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };
const COMPLETE = { policy: 'wait_complete' } as const;

describe('a prefix that several requests need', () => {
  it('is computed once when it is cold', async () => {
    const simulation = new TieredSimulation({ maxPrefillTokens: 8 });
    for (const id of [1, 2, 3, 4])
      simulation.submit({ id, prompt: [...pagesOf('abcdef'), 10 + id], maxTokens: 1 });
    await simulation.drain();
    expect(simulation.watch.computed).toBe(24 + 4);
    await simulation.settle();
  });

  it('is computed once by four requests that are the same', async () => {
    const simulation = new TieredSimulation({ maxPrefillTokens: 8 });
    for (const id of [1, 2, 3, 4]) simulation.submit({ id, prompt: pagesOf('abcd12'), maxTokens: 1 });
    await simulation.drain();
    expect(simulation.watch.computed).toBe(18 + 3);
    await simulation.settle();
  });

  it('is computed by the next one when the one that computed it is aborted', async () => {
    const simulation = new TieredSimulation({ maxPrefillTokens: 8 });
    for (const id of [1, 2, 3]) simulation.submit({ id, prompt: pagesOf('abcdef'), maxTokens: 1 });
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 2 });
    simulation.abort(1);
    await simulation.drain();
    expect(simulation.watch.computed).toBeLessThanOrEqual(24 + 1 + 8);
    await simulation.settle();
  });

  it('is fetched once, for all that wait for it', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abcd');
    simulation.store.plan = () => 20;
    const told = [1, 2, 3, 4].map((id) =>
      simulation.submit({ id, prompt: [...pagesOf('abcd'), 10 + id], maxTokens: 1 }),
    );
    await simulation.drain();
    // The first one brings it to L1.
    expect(told.map(({ started }) => started)).toEqual([
      [{ ...NOTHING, storage: 16 }],
      ...[2, 3, 4].map(() => [{ ...NOTHING, device: 16 }]),
    ]);
    expect(simulation.store.keys('has')).toHaveLength(4 + 4);
    expect(simulation.store.keys('read')).toHaveLength(4);
    await simulation.settle();
  });

  it('takes room for what is fetched once, however many wait for it', async () => {
    const simulation = new TieredSimulation({ hostPages: 16, maxRunningRequests: 1, prefetch: COMPLETE });
    await simulation.stored('abcd', 'wxyz');
    simulation.submit({ id: 0, prompt: 9, maxTokens: 50, ignoreEnd: true });
    await simulation.steps(2);
    for (const id of [1, 2, 3])
      simulation.submit({ id, prompt: [...pagesOf('abcd'), 10 + id], maxTokens: 1 });
    await simulation.steps(2);
    simulation.submit({ id: 4, prompt: pagesOf('wxyz1'), maxTokens: 1 });
    await simulation.steps(2);
    expect(simulation.held()).toMatchObject({ waiting: 4, prefetches: 0 });
    expect(simulation.counts.prefetchedTokens).toBe(32);
    await simulation.settle();
  });

  it('is fetched as far as they share it, and then each for itself', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abxy', 'abcd');
    const reads = simulation.store.keys('read').length;
    // Quicker than computing.
    simulation.store.plan = () => 0.1;
    const told = ['abxy1', 'abcd1'].map((letters, id) =>
      simulation.submit({ id, prompt: pagesOf(letters), maxTokens: 1 }),
    );
    await simulation.drain();
    expect(told.map(({ started }) => started)).toEqual([
      [{ ...NOTHING, storage: 16 }],
      [{ ...NOTHING, device: 8, storage: 8 }],
    ]);
    expect(simulation.store.keys('read')).toHaveLength(reads + 4 + 2);
    await simulation.settle();
  });

  it('is fetched on for the others when the one for which it began is aborted', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abcd');
    simulation.store.plan = () => 20;
    for (const id of [1, 2]) simulation.submit({ id, prompt: pagesOf('abcd1'), maxTokens: 1 });
    await simulation.steps(30);
    simulation.abort(1);
    await simulation.drain();
    expect(simulation.output.of(2).started).toEqual([{ ...NOTHING, storage: 16 }]);
    expect(simulation.store.keys('read')).toHaveLength(4);
    await simulation.settle();
  });
});

describe('a request that waits for the storage', () => {
  it('holds up nobody behind it', async () => {
    const simulation = new TieredSimulation({ prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.store.plan = (operation) => (operation === 'read' ? 1000 : undefined);
    const first = simulation.submit({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    const second = simulation.submit({ id: 2, prompt: pagesOf('xyz1'), maxTokens: 1 });
    await simulation.steps(10);
    expect([first.ended.length, second.ended.length]).toEqual([0, 1]);
    await simulation.settle();
  });

  it('is fetched for from its arrival on, also while it has no turn', async () => {
    const simulation = new TieredSimulation({ maxRunningRequests: 1, prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.submit({ id: 1, prompt: 9, maxTokens: 100, ignoreEnd: true });
    await simulation.steps(2);
    simulation.submit({ id: 2, prompt: pagesOf('abc1'), maxTokens: 1 });
    await simulation.steps(5);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 1, prefetches: 0 });
    expect(simulation.counts.prefetchedTokens).toBe(12);
    await simulation.settle();
  });

  it('uses what has arrived when its patience ends', async () => {
    const simulation = new TieredSimulation({
      hostPages: 80,
      prefetch: { timeoutBase: 1, timeoutPerKiToken: 0 },
    });
    const letters = 'abcdefghijklmnopqrst';
    await simulation.stored(letters);
    // Sixteen pages come in time, the others do not.
    let reads = 0;
    simulation.store.plan = (operation) => (operation === 'read' ? [100, 100, 5000][reads++] : undefined);
    const began = simulation.clock.now();
    const told = await simulation.serve({ id: 1, prompt: pagesOf(`${letters}1`), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 64 }]);
    expect(told.at).toEqual([began + 1000 + 1]);
    expect(simulation.counts.missed).toEqual({ cancelled: 16 });
    await simulation.settle();
  });

  it('goes on waiting for nothing when it does not wait at all', async () => {
    const simulation = new TieredSimulation({ prefetch: { policy: 'best_effort' } });
    await simulation.stored('abc');
    simulation.store.plan = () => 20;
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    expect(simulation.store.keys('read')).toEqual([]);
    await simulation.settle();
  });

  it('gets its pages when others give back the room that it waited for', async () => {
    const simulation = new TieredSimulation({ hostPages: 12, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcdef', 'xyz');
    simulation.store.plan = (operation) => (operation === 'read' ? 50 : undefined);
    simulation.submit({ id: 1, prompt: pagesOf('abcdef1'), maxTokens: 1 });
    await simulation.steps(1);
    const told = simulation.submit({ id: 2, prompt: pagesOf('xyz1'), maxTokens: 1 });
    await simulation.steps(10);
    expect(simulation.held()).toMatchObject({ waiting: 2, prefetches: 2 });
    await simulation.drain();
    expect(told.started).toEqual([{ ...NOTHING, storage: 12 }]);
    await simulation.settle();
  });

  it('for room, which others give back when they are admitted, keeps no rank from draining', async () => {
    const simulation = new TieredSimulation({ hostPages: 12, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcdef', 'xyz');
    simulation.store.plan = (operation) => (operation === 'read' ? 5 : undefined);
    for (const [id, letters] of ['abcdef1', 'xyz1'].entries())
      simulation.submit({ id, prompt: pagesOf(letters), maxTokens: 1 });
    let drained = false;
    const draining = simulation.scheduler.drain(new AbortController().signal).then(() => {
      drained = true;
    });
    await simulation.steps(50);
    expect(simulation.held()).toMatchObject({ waiting: 2, prefetches: 1 });
    expect(drained).toBe(true);
    simulation.scheduler.resume();
    await draining;
    await simulation.settle();
  });
});
