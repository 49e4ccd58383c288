import { describe, expect, it } from 'vitest';
import { namespaceSeed } from '../../src/shared/page-keys.ts';
import { FINGERPRINT } from '../storage/support/layers.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';
import { type Trouble, TroubledStore } from './support/troubled-store.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };
const OTHER_MODEL = 'f'.repeat(64);
const SALTED = namespaceSeed({ extraKey: undefined, cacheSalt: 'salt' });

/** A simulation whose storage, but neither L1 nor L2, has a prompt. */
async function stored(letters: string): Promise<TieredSimulation> {
  const simulation = new TieredSimulation({ prefetch: { policy: 'wait_complete' } });
  await simulation.stored(letters);
  return simulation;
}

describe('pages of another namespace', () => {
  it('W2: are used from no tier', async () => {
    const simulation = await stored('abc');
    await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    const salted = { prompt: pagesOf('abc1'), prefixSeed: SALTED, maxTokens: 1 };
    expect((await simulation.serve({ id: 2, ...salted })).started).toEqual([NOTHING]);
    simulation.forget();
    expect((await simulation.serve({ id: 3, ...salted })).started).toEqual([{ ...NOTHING, storage: 12 }]);
    expect(simulation.store.stored.size).toBe(6);
    await simulation.settle();
  });

  it('W2: do not make a request wait for one that computes the same tokens', async () => {
    const simulation = new TieredSimulation({ maxPrefillTokens: 4 });
    simulation.submit({ id: 1, prompt: pagesOf('abcd'), maxTokens: 1 });
    simulation.submit({ id: 2, prompt: pagesOf('abcd'), prefixSeed: SALTED, maxTokens: 1 });
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 2, waiting: 0 });
    await simulation.settle();
  });
});

describe('pages of another model', () => {
  it('W3: are not found in a storage that both use', async () => {
    const simulation = await stored('abc');
    simulation.attach(simulation.store.driver(), OTHER_MODEL);
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    await simulation.settle();
  });

  it('W3: are refused where the storage gives them under the right key', async () => {
    const simulation = await stored('abc');
    const mine = simulation.store.driver();
    const renamed = (key: string) => key.replace(OTHER_MODEL, FINGERPRINT);
    simulation.attach(
      {
        ...mine,
        has: (keys, signal) => mine.has(keys.map(renamed), signal),
        read: (reads, signal) =>
          mine.read(
            reads.map((read) => ({ ...read, key: renamed(read.key) })),
            signal,
          ),
      },
      OTHER_MODEL,
    );
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    expect(simulation.counts.prefetchedTokens).toBe(0);
    await simulation.settle();
  });
});

describe('W5: what a former storage still delivers', () => {
  it.each(['another storage', 'none'])('is dropped when %s is attached', async (next) => {
    const simulation = await stored('abc');
    simulation.store.plan = (operation) => (operation === 'read' ? 300 : undefined);
    simulation.submit({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    await simulation.steps(50);
    expect(simulation.held().prefetches).toBe(1);
    const { clock } = simulation;
    if (next === 'none') simulation.detach();
    else simulation.attach(new TroubledStore(clock).driver());
    await simulation.steps(10);
    expect(simulation.output.of(1).started).toEqual([NOTHING]);
    expect(simulation.freeSlots).toBe(64 - 6);
    await simulation.drain();
    // The slots come back when the driver has let go, and not before.
    expect(simulation.freeSlots).toBe(64 - 3);
    expect(simulation.counts).toMatchObject({ prefetchedTokens: 0, missed: { stale: 12 } });
    await simulation.settle();
  });
});

describe('W5: a transfer that fails', () => {
  const troubles: Trouble[] = [
    'damage',
    'truncate',
    'exchange',
    'miss',
    'fail',
    'reject',
    'throw',
    'nonsense',
  ];

  it.each(troubles)('is never taken for pages: %s', async (trouble) => {
    const simulation = await stored('abc');
    simulation.store.plan = (operation) => (operation === 'read' ? trouble : undefined);
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    expect(simulation.counts).toMatchObject({ prefetchedTokens: 0, missed: { error: 12 } });
    await simulation.settle();
  });

  it('is never taken for pages where no layer checks them', async () => {
    const simulation = await stored('abc');
    const { driver } = simulation.attach();
    simulation.use({
      ...driver,
      read: async (reads) => reads.map(({ into }) => ({ status: 'hit', bytes: into[0]!.length })),
    });
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abc1'), maxTokens: 1 });
    expect(told.started).toEqual([NOTHING]);
    expect(simulation.counts.missed).toEqual({ rejected: 12 });
    await simulation.settle();
  });

  it('leaves the pages before it', async () => {
    const simulation = await stored('abcd');
    const third = simulation.store.keys('write')[2];
    const base = simulation.store.driver();
    simulation.attach({
      ...base,
      read: async (reads, signal) => {
        const results = await base.read(reads, signal);
        return results.map((result, i) => (reads[i]!.key === third ? { status: 'miss' } : result));
      },
    });
    const told = await simulation.serve({ id: 1, prompt: pagesOf('abcd1'), maxTokens: 1 });
    expect(told.started).toEqual([{ ...NOTHING, storage: 8 }]);
    expect(simulation.counts.missed).toEqual({ error: 8 });
    await simulation.settle();
  });
});

it('W6: half of a page is none', async () => {
  const simulation = await stored('ab');
  simulation.store.plan = (operation) => (operation === 'read' ? 'truncate' : undefined);
  const told = await simulation.serve({ id: 1, prompt: pagesOf('ab1'), maxTokens: 1 });
  expect(told.started).toEqual([NOTHING]);
  // What is no page is removed, and written again.
  expect(simulation.store.keys('remove')).toHaveLength(2);
  expect(simulation.store.stored.size).toBe(2);
  await simulation.settle();
});
