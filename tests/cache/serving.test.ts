import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

describe('a prefix that is cached', () => {
  it('computes exactly one token when the whole prompt is', async () => {
    const simulation = new TieredSimulation();
    await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
    const before = simulation.watch.computed;
    const told = await simulation.serve({ id: 2, prompt: pagesOf('abc'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 11, host: 0, storage: 0 }]);
    expect(simulation.watch.computed - before).toBe(1);
    await simulation.settle();
  });

  it('comes back from the storage', async () => {
    const simulation = new TieredSimulation();
    simulation.attach();
    await simulation.serve({ id: 1, prompt: pagesOf('abc12'), maxTokens: 1 });
    simulation.forget();
    const told = await simulation.serve({ id: 2, prompt: pagesOf('abc13'), maxTokens: 1 });
    expect(told.started).toEqual([{ device: 0, host: 0, storage: 12 }]);
    await simulation.settle();
  });
});
