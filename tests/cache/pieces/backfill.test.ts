import { expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from '../support/tiered-simulation.ts';

const PROMPTS = ['abc', 'def', 'ghi', 'jkl'];
const OTHERS = ['mno', 'pqr', 'stu', 'vwx'];

async function serveAll(simulation: TieredSimulation, prompts: readonly string[], end = ''): Promise<number> {
  let storage = 0;
  for (const letters of prompts) {
    const id = simulation.asked.length;
    const told = await simulation.serve({ id, prompt: pagesOf(letters + end), maxTokens: 1 });
    storage += told.started[0]?.storage ?? 0;
  }
  return storage;
}

it('W1: all that L2 holds is stored when a storage is attached, whose room for writes is less than that', async () => {
  const simulation = new TieredSimulation({ hostPages: 16 });
  await serveAll(simulation, PROMPTS);
  simulation.attach();
  await simulation.drain();
  expect(simulation.store.stored.size).toBe(12);
  simulation.forget();
  expect(await serveAll(simulation, PROMPTS, '1')).toBe(48);
  await simulation.settle();
});

it('W1: what a flush drops while it is being stored is left out: no page is stored under the key of another', async () => {
  const simulation = new TieredSimulation({ hostPages: 16 });
  await serveAll(simulation, PROMPTS);
  simulation.store.plan = (operation) => (operation === 'write' ? 20 : undefined);
  simulation.attach();
  await simulation.steps(1);
  const begun = simulation.store.keys('write').length;
  expect(begun).toBeLessThan(12);
  simulation.forget();
  // These get the slots of those.
  await serveAll(simulation, OTHERS);
  await simulation.drain();
  expect(simulation.store.stored.size).toBe(begun + 12);
  simulation.forget();
  await serveAll(simulation, [...PROMPTS, ...OTHERS], '1');
  expect(simulation.engine.refusedPages).toBe(0);
  await simulation.settle();
});

it('pages that are evicted while others are being stored are left out', async () => {
  const simulation = new TieredSimulation({ hostPages: 16 });
  await serveAll(simulation, PROMPTS);
  simulation.store.plan = (operation) => (operation === 'write' ? 20 : undefined);
  simulation.attach();
  await simulation.steps(1);
  simulation.store.plan = () => undefined;
  await serveAll(simulation, OTHERS);
  await simulation.drain();
  simulation.forget();
  await serveAll(simulation, [...PROMPTS, ...OTHERS], '1');
  expect(simulation.engine.refusedPages).toBe(0);
  await simulation.settle();
});
