import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

describe('writing to the storage', () => {
  it('S1: one failed write does not end the others, and its pages are let go', async () => {
    const simulation = new TieredSimulation();
    let writes = 0;
    simulation.store.plan = (operation) => (operation === 'write' && ++writes === 2 ? 'throw' : undefined);
    simulation.attach();
    for (const [id, letters] of ['abc', 'def', 'ghi'].entries())
      await simulation.serve({ id, prompt: pagesOf(letters), maxTokens: 1 });
    expect(simulation.store.stored.size).toBe(6);
    expect(simulation.counts).toMatchObject({ backedUpTokens: 24, notStored: { error: 12 } });
    await simulation.settle();
  });

  it('S1: a write that hangs is given up at its deadline; its slots come back when the driver lets go', async () => {
    const simulation = new TieredSimulation({ hostPages: 16 });
    simulation.store.plan = (operation) => (operation === 'write' ? 'hang' : undefined);
    simulation.attach();
    await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    expect(simulation.counts.notStored).toEqual({ error: 12 });
    simulation.forget();
    expect(simulation.freeSlots).toBe(13);
    simulation.store.release();
    await simulation.drain();
    expect(simulation.freeSlots).toBe(16);
    await simulation.settle();
  });

  it('S9: pages whose write failed are not taken for stored, and are written when they are used again', async () => {
    const simulation = new TieredSimulation();
    simulation.store.plan = (operation) => (operation === 'write' ? 'fail' : undefined);
    simulation.attach();
    await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    expect(simulation.store.stored.size).toBe(0);
    simulation.store.plan = () => undefined;
    await simulation.serve({ id: 2, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(simulation.store.stored.size).toBe(3);
    await simulation.settle();
  });

  it('S9: pages that found no place in the queue are written when they are used again', async () => {
    const simulation = new TieredSimulation({ hostPages: 8 });
    simulation.attach();
    await simulation.serve({ id: 1, prompt: pagesOf('abcd'), maxTokens: 1 });
    expect(simulation.counts.notStored).toEqual({ queue_full: 8 });
    await simulation.serve({ id: 2, prompt: pagesOf('abcd1'), maxTokens: 1 });
    expect(simulation.store.stored.size).toBe(4);
    await simulation.settle();
  });

  it('writes no page twice', async () => {
    const simulation = new TieredSimulation();
    simulation.attach();
    for (let id = 0; id < 4; id++) await simulation.serve({ id, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(simulation.store.keys('write')).toHaveLength(3);
    simulation.forget();
    await simulation.serve({ id: 5, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(simulation.store.keys('write')).toHaveLength(3);
    await simulation.settle();
  });

  it('W1: pages that were made while no storage was attached are stored under their own keys later', async () => {
    const simulation = new TieredSimulation();
    await simulation.serve({ id: 1, prompt: pagesOf('ab'), maxTokens: 1 });
    simulation.attach();
    await simulation.serve({ id: 2, prompt: pagesOf('abcd'), maxTokens: 1 });
    simulation.forget();
    // The suffix alone is no prompt that anybody asked for.
    const other = await simulation.serve({ id: 3, prompt: pagesOf('cd1'), maxTokens: 1 });
    expect(other.started).toEqual([{ device: 0, host: 0, storage: 0 }]);
    const told = await simulation.serve({ id: 4, prompt: pagesOf('abcd1'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 16 }]);
    await simulation.settle();
  });
});
