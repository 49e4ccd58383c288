import { describe, expect, it } from 'vitest';
import { expectedAnswer } from '../support/simulation.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };

describe('a prompt that is cached whole', () => {
  it.each([pagesOf('abc'), pagesOf('abc1'), pagesOf('abc123')])('computes one token', async (...prompt) => {
    const simulation = new TieredSimulation();
    await simulation.serve({ id: 1, prompt, maxTokens: 1 });
    const before = simulation.watch.computed;
    const told = await simulation.serve({ id: 2, prompt, maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, device: prompt.length - 1 }]);
    expect(simulation.watch.computed - before).toBe(1);
    await simulation.settle();
  });
});

describe('the next turn of a conversation', () => {
  const first = { id: 1, prompt: pagesOf('abc1'), maxTokens: 9, ignoreEnd: true };
  const said = expectedAnswer(first).tokens;
  const next = { id: 2, prompt: [...first.prompt, ...said, 5, 6, 7], maxTokens: 1 };
  /** The last token of an answer is never computed. */
  const known = first.prompt.length + said.length - 1;
  const pages = 4 * Math.floor(known / 4);

  it('finds all of the last one in L1, to the token', async () => {
    const simulation = new TieredSimulation();
    await simulation.serve(first);
    expect((await simulation.serve(next)).started).toEqual([{ ...NOTHING, device: known }]);
    await simulation.settle();
  });

  it('finds all of it in L2, to the token', async () => {
    const simulation = new TieredSimulation({ cache: { unusedDeviceTokens: 0 } });
    await simulation.serve(first);
    expect((await simulation.serve(next)).started).toEqual([{ ...NOTHING, host: known }]);
    await simulation.settle();
  });

  it('leaves nothing of the last one in L2 that it says again', async () => {
    const simulation = new TieredSimulation({ cache: { unusedDeviceTokens: 0 } });
    await simulation.serve(first);
    await simulation.serve(next);
    // Its own pages, and one for what is left over behind them.
    const tokens = next.prompt.length;
    expect(simulation.scheduler.report().cache.hostPages.used).toBe(Math.ceil(tokens / 4));
    await simulation.settle();
  });

  it('finds it in L1 where it is less than a page, of the latest ones', async () => {
    const simulation = new TieredSimulation({
      cells: 1024,
      sequences: 250,
      cache: { unusedDeviceTokens: 0 },
    });
    const short = Array.from({ length: 200 }, (_, i) => [1 + (i % 20), 1 + Math.floor(i / 20), 9]);
    for (const [i, prompt] of short.entries()) await simulation.serve({ id: i, prompt, maxTokens: 1 });
    const { cells } = simulation.scheduler.report().cache;
    // Some begin alike, and share that.
    expect(cells.used).toBeGreaterThan(128);
    expect(cells.used).toBeLessThanOrEqual(256);
    const again = async (i: number) =>
      (await simulation.serve({ id: 1000 + i, prompt: [...short[i]!, 4], maxTokens: 1 })).started;
    expect(await again(199)).toEqual([{ ...NOTHING, device: 3 }]);
    // The latest ones begin like it.
    expect(await again(0)).toEqual([
      { ...NOTHING, device: expect.toSatisfy((tokens: number) => tokens < 3) },
    ]);
    await simulation.settle();
  });

  it('finds it in L3, to the page', async () => {
    const simulation = new TieredSimulation();
    simulation.attach();
    await simulation.serve(first);
    simulation.forget();
    expect((await simulation.serve(next)).started).toEqual([{ ...NOTHING, storage: pages }]);
    await simulation.settle();
  });

  it('finds some of it in each', async () => {
    const simulation = new TieredSimulation({ hostPages: 32 });
    simulation.attach();
    await simulation.serve({ ...first, id: 3, prompt: pagesOf('abcdefgh'), maxTokens: 1 });
    simulation.forget();
    // L2 gets what L1 loses of it first: its end.
    await simulation.serve({ ...first, id: 4, prompt: pagesOf('ab'), maxTokens: 1 });
    simulation.store.plan = (operation) => (operation === 'has' ? 'miss' : undefined);
    await simulation.serve({ ...first, id: 5, prompt: pagesOf('abcd1'), maxTokens: 1 });
    simulation.store.plan = () => undefined;
    const told = await simulation.serve({ ...first, id: 6, prompt: pagesOf('abcdefgh1'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 16, host: 0, storage: 16 }]);
    await simulation.settle();
  });
});

describe('the write policy', () => {
  const prompt = pagesOf('abc1');

  it('write_through copies pages to L2 when they are made', async () => {
    const simulation = new TieredSimulation({ maxPrefillTokens: 4 });
    simulation.submit({ id: 1, prompt, maxTokens: 1 });
    await simulation.steps(2);
    expect(simulation.counts.savedTokens).toBe(8);
    await simulation.settle();
  });

  it('write_through_selective copies them when they are used again', async () => {
    const simulation = new TieredSimulation({ cache: { writePolicy: 'write_through_selective' } });
    await simulation.serve({ id: 1, prompt, maxTokens: 1 });
    expect(simulation.counts.savedTokens).toBe(0);
    await simulation.serve({ id: 2, prompt: pagesOf('ab2'), maxTokens: 1 });
    expect(simulation.counts.savedTokens).toBe(8);
    await simulation.settle();
  });

  it('write_through_selective loses what was used once', async () => {
    const simulation = new TieredSimulation({ cells: 20, cache: { writePolicy: 'write_through_selective' } });
    await simulation.serve({ id: 1, prompt, maxTokens: 1 });
    await simulation.serve({ id: 2, prompt: pagesOf('vwxy1'), maxTokens: 1 });
    const told = await simulation.serve({ id: 3, prompt, maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    await simulation.settle();
  });

  it('write_back copies them when they leave L1', async () => {
    const simulation = new TieredSimulation({ cells: 20, cache: { writePolicy: 'write_back' } });
    await simulation.serve({ id: 1, prompt, maxTokens: 1 });
    await simulation.serve({ id: 2, prompt: pagesOf('ab2'), maxTokens: 1 });
    expect(simulation.counts.savedTokens).toBe(0);
    await simulation.serve({ id: 3, prompt: pagesOf('vwxy1'), maxTokens: 1 });
    expect(simulation.counts.savedTokens).toBeGreaterThanOrEqual(12);
    const told = await simulation.serve({ id: 4, prompt, maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, host: 12 }]);
    await simulation.settle();
  });
});

describe('eviction', () => {
  it('by priority keeps what requests of high priority computed', async () => {
    const simulation = new TieredSimulation({
      cells: 32,
      hostPages: 0,
      cache: { evictionPolicy: 'priority' },
    });
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), priority: 5, maxTokens: 1 });
    for (const [i, letters] of ['uvw1', 'xyz1', 'rst1'].entries())
      await simulation.serve({ id: 2 + i, prompt: pagesOf(letters), maxTokens: 1 });
    const told = await simulation.serve({ id: 9, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, device: 12 }]);
    await simulation.settle();
  });

  it('by last use does not', async () => {
    const simulation = new TieredSimulation({ cells: 32, hostPages: 0 });
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), priority: 5, maxTokens: 1 });
    for (const [i, letters] of ['uvw1', 'xyz1', 'rst1'].entries())
      await simulation.serve({ id: 2 + i, prompt: pagesOf(letters), maxTokens: 1 });
    const told = await simulation.serve({ id: 9, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    await simulation.settle();
  });
});
