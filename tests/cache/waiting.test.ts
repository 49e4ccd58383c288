import { describe, expect, it } from 'vitest';
import type { StorageDriver } from '../../src/storage/driver.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';
import type { TroublePlan } from './support/troubled-store.ts';

/** Pages are read one by one, so that the first ones arrive while a later one hangs. */
function pageByPage(driver: StorageDriver): StorageDriver {
  return { ...driver, capabilities: { ...driver.capabilities, batch: 1 } };
}

/** Every read hangs, from the n-th one on. */
function hangFromRead(first: number): TroublePlan {
  let reads = 0;
  return (operation) => (operation === 'read' && ++reads >= first ? 'hang' : undefined);
}

const COMPLETE = { policy: 'wait_complete' } as const;

/** L2 and the storage hold `abcd`. One request runs at a time, and the two that are there need all of L2. */
async function amidOthers(): Promise<TieredSimulation> {
  const cache = { unusedDeviceTokens: 0 };
  const simulation = new TieredSimulation({ sequences: 1, hostPages: 14, cache, prefetch: COMPLETE });
  await simulation.stored('abcd');
  await simulation.serve({ id: 0, prompt: pagesOf('abcd1'), maxTokens: 1 });
  simulation.submit({ id: 1, prompt: pagesOf('mnopqrst'), maxTokens: 30, ignoreEnd: true });
  await simulation.steps(2);
  simulation.submit({ id: 2, prompt: pagesOf('fghijkl'), maxTokens: 1 });
  return simulation;
}

describe('a request that waits for the storage', () => {
  it('S3: reserves nothing any more when its grammar fails', async () => {
    const simulation = new TieredSimulation({ hostPages: 16, prefetch: COMPLETE });
    await simulation.stored('abc', 'abcde', 'wxyz');
    simulation.submit({ id: 1, prompt: pagesOf('abcde1'), grammar: '', maxTokens: 1 });
    await simulation.drain();
    expect(simulation.output.of(1).failures).toMatchObject([{ code: 'grammar_failed' }]);
    const told = await simulation.serve({ id: 2, prompt: pagesOf('wxyz1'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 16 }]);
    await simulation.settle();
  });

  it('S4: is answered where L2 has no room for a single page of what is stored', async () => {
    const simulation = new TieredSimulation({ hostPages: 1, prefetch: { ...COMPLETE, threshold: 1 } });
    simulation.attach();
    await simulation.serve({ id: 1, prompt: pagesOf('a'), maxTokens: 1 });
    simulation.forget();
    const told = await simulation.serve({ id: 2, prompt: pagesOf('a1'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 0 }]);
    expect(simulation.counts.missed).toEqual({ no_room: 4 });
    await simulation.settle();
  });

  it('S4: is answered where L2 is full of what running requests use', async () => {
    const simulation = new TieredSimulation({ hostPages: 4, prefetch: COMPLETE });
    await simulation.stored('abc');
    simulation.submit({ id: 1, prompt: pagesOf('wxyz'), maxTokens: 50, ignoreEnd: true });
    await simulation.steps(10);
    const told = simulation.submit({ id: 2, prompt: pagesOf('abc1'), maxTokens: 1 });
    await simulation.steps(20);
    expect(told.ended).toHaveLength(1);
    await simulation.drain();
    await simulation.settle();
  });

  it('S4: is answered where two wait for the room that the other keeps', async () => {
    const simulation = new TieredSimulation({ hostPages: 8, prefetch: COMPLETE });
    await simulation.stored('abcd', 'wxyz');
    simulation.attach(pageByPage(simulation.store.driver()));
    simulation.submit({ id: 1, prompt: pagesOf('abcd1'), maxTokens: 1 });
    simulation.submit({ id: 2, prompt: pagesOf('wxyz1'), maxTokens: 1 });
    await simulation.settle();
  });

  it('gets pages that arrive amid a batch, behind those that L1 alone has meanwhile', async () => {
    // Two pages alone are not worth a fetch.
    const prefetch = { ...COMPLETE, threshold: 12 };
    const simulation = new TieredSimulation({ cache: { writePolicy: 'write_back' }, prefetch });
    await simulation.serve({ id: 0, prompt: pagesOf('abcd'), maxTokens: 1 });
    simulation.tiers.cache.makeRoom(4096);
    await simulation.stored();
    simulation.store.plan = (operation) => (operation === 'read' ? 20.5 : undefined);
    const told = simulation.submit({ id: 1, prompt: pagesOf('abcd1'), maxTokens: 1 });
    simulation.submit({ id: 2, prompt: pagesOf('ab2'), maxTokens: 100, ignoreEnd: true });
    await simulation.steps(30);
    expect(told.started).toEqual([{ device: 8, host: 0, storage: 8 }]);
    await simulation.settle();
  });

  it('is computed when what its pages belong behind leaves meanwhile, and nothing of them stays', async () => {
    const cache = { unusedDeviceTokens: 0 };
    const simulation = new TieredSimulation({ hostPages: 12, cache, prefetch: COMPLETE });
    const prefixSeed = 'ab'.repeat(32);
    simulation.attach();
    for (const [id, letters] of ['ab', 'abcd'].entries())
      await simulation.serve({ id, prompt: pagesOf(letters), prefixSeed, maxTokens: 1 });
    simulation.forget();
    simulation.store.plan = (operation) => (operation === 'has' ? 'miss' : undefined);
    await simulation.serve({ id: 2, prompt: pagesOf('ab'), prefixSeed, maxTokens: 1 });
    simulation.store.plan = (operation) => (operation === 'read' ? 500 : undefined);
    const told = simulation.submit({ id: 3, prompt: pagesOf('abcd1'), prefixSeed, maxTokens: 1 });
    await simulation.steps(1);
    for (const [i, letters] of ['rstu', 'vwxy', 'nopq'].entries())
      simulation.submit({ id: 4 + i, prompt: pagesOf(letters), maxTokens: 1 });
    await simulation.drain();
    expect(simulation.counts.missed).toEqual({ no_prefix: 8 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 0 }]);
    await simulation.settle();
  });

  it('keeps no cells from a request that runs alone', async () => {
    const simulation = new TieredSimulation({ cells: 24, prefetch: COMPLETE });
    await simulation.stored('abcde');
    await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    simulation.attach(pageByPage(simulation.store.driver()));
    simulation.store.plan = hangFromRead(2);
    simulation.submit({ id: 2, prompt: pagesOf('abcde1'), maxTokens: 1 });
    await simulation.steps(1);
    const told = simulation.submit({ id: 3, prompt: pagesOf('vwxyz'), maxTokens: 4, ignoreEnd: true });
    await simulation.steps(50);
    expect(told.ended).toHaveLength(1);
    await simulation.settle();
  });

  it('keeps no sequence from those before it in the order', async () => {
    const simulation = new TieredSimulation({ sequences: 1, prefetch: COMPLETE });
    await simulation.stored('abcde');
    await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    simulation.attach(pageByPage(simulation.store.driver()));
    // The first request learns late that nothing is stored of its prompt; by then the other one has fetched some pages.
    const delays = { has: [60, 5], read: [undefined, 100], write: [], remove: [] };
    simulation.store.plan = (operation) => delays[operation].shift();
    const first = simulation.submit({ id: 2, prompt: pagesOf('vwxyz'), maxTokens: 1 });
    const second = simulation.submit({ id: 3, prompt: pagesOf('abcde1'), maxTokens: 1 });
    await simulation.steps(500);
    expect(first.ended).toHaveLength(1);
    expect(second.ended).toHaveLength(1);
    await simulation.settle();
  });

  it.each([
    ['all that it needs', 'abcd1'],
    ['a part of it', 'abcdef1'],
  ])('fetches again what leaves L2 before it has its turn: when L2 held %s', async (_, letters) => {
    const simulation = await amidOthers();
    const told = simulation.submit({ id: 3, prompt: pagesOf(letters), maxTokens: 1 });
    await simulation.drain();
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 16 }]);
    await simulation.settle();
  });

  it('keeps nobody behind it waiting while it fetches again', async () => {
    const simulation = await amidOthers();
    simulation.submit({ id: 3, prompt: pagesOf('abcd1'), maxTokens: 1 });
    const behind = simulation.submit({ id: 4, prompt: pagesOf('u'), maxTokens: 1 });
    simulation.store.plan = (operation) => (operation === 'has' ? 'hang' : undefined);
    await simulation.steps(60);
    expect(simulation.scheduler.report()).toMatchObject({ running: 0, waiting: 1 });
    expect(behind.ended).toHaveLength(1);
    await simulation.settle();
  });

  it('is computed when what left L2 before its turn has left the storage, too', async () => {
    const simulation = await amidOthers();
    const told = simulation.submit({ id: 3, prompt: pagesOf('abcd1'), maxTokens: 1 });
    simulation.store.plan = (operation) => (operation === 'has' ? 'miss' : undefined);
    await simulation.drain();
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 0 }]);
    await simulation.settle();
  });

  it('S6: is answered by computing when reads hang, which never take more than half of L2', async () => {
    const prompts = ['abcd', 'efgh', 'ijkl', 'mnop', 'qrst'];
    const simulation = new TieredSimulation({ cells: 24, hostPages: 16 });
    await simulation.stored(...prompts);
    simulation.store.plan = (operation) => (operation === 'read' ? 'hang' : undefined);
    for (const [id, letters] of prompts.entries()) {
      const told = await simulation.serve({ id, prompt: pagesOf(`${letters}1`), maxTokens: 1 });
      expect(told.started).toEqual([{ device: 0, host: 0, storage: 0 }]);
      const { used } = simulation.scheduler.report().cache.hostPages;
      expect(simulation.freeSlots + used).toBeGreaterThanOrEqual(8);
    }
    await simulation.settle();
  });
});
