import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

/** One whose cache holds the pages a, b and c. */
async function withCached(): Promise<TieredSimulation> {
  const simulation = new TieredSimulation();
  await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 1 });
  return simulation;
}

describe('the debug mode finds cells', () => {
  it('that a sequence holds which nobody uses', async () => {
    const simulation = await withCached();
    simulation.engine.truncateSequence = () => undefined;
    expect(() => simulation.scheduler.flush()).toThrow(
      /^Cache invariant: positions of sequence 0, which nobody/,
    );
  });

  it('that no sequence holds, and that count as used', async () => {
    const simulation = await withCached();
    const used = simulation.engine.cellsInUse;
    Object.defineProperty(simulation.engine, 'cellsInUse', { get: () => used });
    expect(() => simulation.scheduler.flush()).toThrow(
      'Cache invariant: cells that somebody owns are 0, counted as 12.',
    );
  });

  it('that were copied where a cached way should share them', async () => {
    const simulation = await withCached();
    const { engine } = simulation;
    engine.sharePrefix = (source, target, length) => {
      const { pages } = engine;
      const copies = Array.from({ length: length / pages.tokens }, () => Buffer.alloc(pages.bytes));
      pages.save(source, 0, copies);
      pages.restore(target, 0, copies);
    };
    simulation.submit({ id: 2, prompt: pagesOf('abd'), maxTokens: 1 });
    await simulation.drain();
    expect(String(simulation.error)).toContain('(device host) has the same cells in every way.');
  });
});
