import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';
import type { Trouble, TroubledStore } from './support/troubled-store.ts';

const NOTHING = { device: 0, host: 0, storage: 0 };
const COMPLETE = { policy: 'wait_complete' } as const;

/** A simulation whose storage, but neither L1 nor L2, has what was computed for prompts. L1 keeps nothing by itself. */
async function stored(...prompts: string[]): Promise<TieredSimulation> {
  const simulation = new TieredSimulation({ prefetch: COMPLETE, cache: { unusedDeviceTokens: 0 } });
  await simulation.stored(...prompts);
  return simulation;
}

let next = 0;

/** What was cached of a prompt, whose answer must be right. */
async function cachedOf(simulation: TieredSimulation, letters: string) {
  const told = await simulation.serve({ id: next++, prompt: pagesOf(letters), maxTokens: 1 });
  return told.started[0];
}

/** Pages are read in one call here, and the tail in the next one. */
function troubleTail(store: TroubledStore, trouble: Trouble): void {
  let reads = 0;
  store.plan = (operation) => (operation === 'read' && ++reads === 2 ? trouble : undefined);
}

describe('what is less than a page', () => {
  it('is stored behind its pages, and found by whoever goes on with all of it or with its beginning', async () => {
    const simulation = await stored('abc12');
    expect(await cachedOf(simulation, 'abc123')).toEqual({ ...NOTHING, storage: 14 });
    simulation.forget();
    expect(await cachedOf(simulation, 'abc1299')).toEqual({ ...NOTHING, storage: 14 });
    simulation.forget();
    expect(await cachedOf(simulation, 'abc199')).toEqual({ ...NOTHING, storage: 13 });
    simulation.forget();
    expect(await cachedOf(simulation, 'abcd')).toEqual({ ...NOTHING, storage: 12 });
    await simulation.settle();
  });

  it('comes for a request that has no more tokens but one', async () => {
    const simulation = await stored('abc12');
    expect(await cachedOf(simulation, 'abc12')).toEqual({ ...NOTHING, storage: 13 });
    await simulation.settle();
  });

  it('comes from the storage once: it is in L2 then, and in L1', async () => {
    const simulation = await stored('abc12');
    await cachedOf(simulation, 'abc129');
    expect(await cachedOf(simulation, 'abc128')).toEqual({ ...NOTHING, host: 14 });
    await simulation.settle();
  });

  it('is stored again when it has become longer', async () => {
    const simulation = await stored('abc1', 'abc12');
    expect(await cachedOf(simulation, 'abc123')).toEqual({ ...NOTHING, storage: 14 });
    await simulation.settle();
  });

  it('is written once, as long as it stays the same', async () => {
    const simulation = await stored('abc12');
    const writes = () => simulation.store.keys('write').length;
    const before = writes();
    await cachedOf(simulation, 'abc12');
    simulation.forget();
    await cachedOf(simulation, 'abc12');
    expect(writes()).toBe(before);
    await cachedOf(simulation, 'abc13');
    expect(writes()).toBe(before + 1);
    await simulation.settle();
  });

  it('is not used behind other pages', async () => {
    const simulation = await stored('abc12');
    expect(await cachedOf(simulation, 'abd12')).toEqual({ ...NOTHING, storage: 8 });
    await simulation.settle();
  });

  it.each<Trouble>(['damage', 'truncate', 'miss', 'fail', 'throw', 'reject', 'nonsense', 1000])(
    'is done without when the store answers it with: %s',
    async (trouble) => {
      const simulation = await stored('abc123');
      const { store } = simulation;
      troubleTail(store, trouble);
      const cached = await cachedOf(simulation, 'abc1239');
      expect(cached).toEqual({ ...NOTHING, storage: trouble === 1000 ? 15 : 12 });
      await simulation.settle();
    },
  );

  it('keeps nobody waiting longer than for pages when its store hangs', async () => {
    const simulation = new TieredSimulation({ cache: { unusedDeviceTokens: 0 } });
    await simulation.stored('abc12');
    const { store } = simulation;
    troubleTail(store, 'hang');
    expect(await cachedOf(simulation, 'abc123')).toEqual({ ...NOTHING, storage: 12 });
    await simulation.settle();
  });
});
