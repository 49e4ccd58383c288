import { describe, expect, it } from 'vitest';
import { Compaction } from '../../src/cache/compaction.ts';
import type { CacheOptions } from '../../src/cache/create-cache.ts';
import { Node } from '../../src/cache/node.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { Asked } from '../support/simulation.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

interface Restore {
  sequence: number;
  pages: number;
}

/** One that notes what is put back into cells, and how many cells were in use before and after that. */
function observed(cache: Partial<CacheOptions> = {}) {
  const simulation = new TieredSimulation({ cache });
  const { engine } = simulation;
  const restores: Restore[] = [];
  const { pages } = engine;
  const restore = pages.restore;
  pages.restore = (sequence, from, buffers) => {
    restores.push({ sequence, pages: buffers.length });
    return restore.call(pages, sequence, from, buffers);
  };
  return { simulation, engine, restores };
}

/** An engine with three sequences of ten tokens, computed in turn. */
async function inTurn(): Promise<SimulatedEngine> {
  const times = { msPerBatch: 0, msPerToken: 0, msPerGrammar: 0 };
  const limits = { cells: 100, batchTokens: 10, sequences: 3, pageSize: 4, vocabularySize: 8 };
  const engine = new SimulatedEngine({ clock: systemClock, ...limits, ...times });
  for (let position = 0; position < 10; position++) {
    engine.batch.clear();
    for (const sequence of [0, 1, 2]) engine.batch.add(1, position, sequence, false);
    await engine.decode();
  }
  return engine;
}

/** Ways of those sequences that L2 holds nothing of. */
function unknownWays(): Map<number, Node> {
  const root = new Node(undefined, 0, new Int32Array(), []);
  return new Map([0, 1, 2].map((sequence) => [sequence, root]));
}

const LONG = { maxTokens: 40, ignoreEnd: true };
const ASKED: readonly Asked[] = [
  { id: 1, prompt: pagesOf('ab'), ...LONG },
  { id: 2, prompt: [...pagesOf('cd'), 5], ...LONG },
  { id: 3, prompt: pagesOf('e'), ...LONG },
];

async function serve(simulation: TieredSimulation, asked: readonly Asked[]): Promise<void> {
  for (const one of asked) simulation.submit(one);
  await simulation.settle();
}

describe('answers that are generated at the same time', () => {
  it('are put together again, page after page, and are right', async () => {
    const { simulation, restores } = observed();
    await serve(simulation, ASKED);
    expect(new Set(restores.map(({ sequence }) => sequence)).size).toBe(3);
    // Of 40 tokens each, in turn: more than once, and not with every step.
    expect(restores.length).toBeGreaterThanOrEqual(6);
    expect(restores.length).toBeLessThan(40);
  });

  it('go on sharing what they have in common', async () => {
    const { simulation, engine, restores } = observed();
    const [first, ...others] = [1, 2, 3].map((id) => ({ id, prompt: [...pagesOf('abcd'), id], ...LONG }));
    simulation.submit(first!);
    await simulation.steps(3);
    for (const asked of others) simulation.submit(asked);
    let most = 0;
    while (restores.length < 6) {
      await simulation.steps(1);
      most = Math.max(most, engine.cellsInUse);
    }
    await simulation.steps(1);
    // Sixteen tokens once, and what each has by itself.
    const own = [0, 1, 2].map((sequence) => Math.max(0, engine.sequenceLength(sequence) - 16));
    expect(engine.cellsInUse).toBe(16 + own.reduce((sum, length) => sum + length, 0));
    expect(restores.filter(({ pages }) => pages >= 4)).toHaveLength(restores.length / 3);
    await simulation.drain();
  });

  it.each([
    ['L2 holds some of their pages', { hostPages: 4 }],
    ['L2 holds none of their pages', { writePolicy: 'write_back' }],
    ['there is no L2', { hostPages: 0 }],
  ] satisfies [string, Partial<CacheOptions>][])('are put together and right where %s', async (_, cache) => {
    const { simulation, restores } = observed(cache);
    await serve(simulation, ASKED);
    expect(new Set(restores.map(({ sequence }) => sequence)).size).toBe(3);
  });

  it('stay where they are where nothing is gained by it', async () => {
    const { simulation, restores } = observed({ compacts: false });
    await serve(simulation, ASKED);
    expect(restores).toEqual([]);
  });

  it('stay where they are where too much of them would have to be copied', async () => {
    const engine = await inTurn();
    const cells = () => [0, 1, 2].map((sequence) => [...engine.sequenceCells(sequence)]);
    const before = cells();
    // Two whole pages and one that ends with each sequence.
    const [less, enough] = [8, 9].map(
      (pages) => new Compaction(engine, engine.pages, undefined, pages * engine.pages.bytes),
    );
    expect(less?.isDue).toBe(true);
    less?.run(unknownWays());
    expect(cells()).toEqual(before);
    expect(less?.isDue).toBe(false);
    enough?.run(unknownWays());
    expect(cells()).not.toEqual(before);
    expect([0, 1, 2].map((sequence) => engine.sequenceLength(sequence))).toEqual([10, 10, 10]);
  });
});

it('one answer alone stays where it is', async () => {
  const { simulation, restores } = observed();
  await serve(simulation, ASKED.slice(0, 1));
  expect(restores).toEqual([]);
});

it('answers of less than a page stay where they are, and the others are put together', async () => {
  const { simulation, restores } = observed();
  const short = { id: 9, prompt: [7], maxTokens: 2, ignoreEnd: true };
  await serve(simulation, [...ASKED, short]);
  expect(new Set(restores.map(({ sequence }) => sequence)).size).toBe(3);
});

it('nothing is taken out that a page could not be put back beside', async () => {
  const { simulation, engine, restores } = observed();
  for (const asked of ASKED) simulation.submit(asked);
  await simulation.steps(12);
  Object.defineProperty(engine.limits, 'cells', { value: engine.cellsInUse + 3 });
  const before = restores.length;
  await simulation.steps(1);
  expect(restores.length).toBe(before);
  expect(simulation.error).toBeUndefined();
});
