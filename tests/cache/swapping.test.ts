import { describe, expect, it } from 'vitest';
import type { CacheOptions } from '../../src/cache/create-cache.ts';
import { Node } from '../../src/cache/node.ts';
import { Swapping } from '../../src/cache/swapping.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { Asked } from '../support/simulation.ts';
import { pagesOf, type TieredOptions, TieredSimulation } from './support/tiered-simulation.ts';

const LONG = { maxTokens: 40, ignoreEnd: true };
const ANSWERING: readonly Asked[] = [
  { id: 1, prompt: pagesOf('ab'), ...LONG },
  { id: 2, prompt: [...pagesOf('cd'), 5], ...LONG },
];
const PROMPT: Asked = { id: 3, prompt: pagesOf('efghijklmn'), ...LONG };

interface Step {
  /** The sequences that it computed, each with what it held before. */
  computed: Map<number, number>;
  tokens: number;
  /** Cells in use when it began. */
  cells: number;
  /** Cells that were reported as used then. */
  reported: number;
}

/** Answers and prompts take turns in it, as on a CPU. Every step is noted. */
function observed(options: TieredOptions = {}) {
  const simulation = new TieredSimulation({ mixedChunk: false, ...options });
  const { engine } = simulation;
  const steps: Step[] = [];
  const decode = engine.decode.bind(engine);
  engine.decode = () => {
    const { cellsInUse: cells } = engine;
    const reported = simulation.scheduler.report().cache.cells.used;
    const outcome = decode();
    const batch = engine.steps.at(-1) ?? [];
    const sequences = new Set(batch.map(({ sequence }) => sequence));
    const computed = new Map([...sequences].map((sequence) => [sequence, engine.sequenceLength(sequence)]));
    steps.push({ computed, tokens: batch.length, cells, reported });
    return outcome;
  };
  return { simulation, engine, steps };
}

/** Two answers are generated, and then a prompt comes. Returns the steps that computed it. */
async function promptAmidAnswers(
  { simulation, steps }: ReturnType<typeof observed>,
  answering: readonly Asked[] = ANSWERING,
  prompt = PROMPT,
): Promise<Step[]> {
  for (const asked of answering) simulation.submit(asked);
  await simulation.steps(10);
  simulation.submit(prompt);
  const before = steps.length;
  await simulation.steps(8);
  return steps.slice(before).filter(({ computed, tokens }) => computed.size === 1 && tokens > 1);
}

const own = ({ computed }: Step) => [...computed.values()].reduce((sum, length) => sum + length, 0);

describe('a prompt amid answers', () => {
  it.each([
    ['L2 holds their pages', {}],
    ['L2 holds some of their pages', { hostPages: 4 }],
    ['L2 holds none of their pages', { writePolicy: 'write_back' }],
    ['there is no L2', { hostPages: 0 }],
  ] satisfies [string, Partial<CacheOptions>][])(
    'is computed without their cells, and all are right, where %s',
    async (_, cache) => {
      const observation = observed({ cache });
      const prefill = await promptAmidAnswers(observation);
      expect(prefill.length).toBeGreaterThanOrEqual(2);
      for (const step of prefill) expect(step.cells).toBe(own(step));
      await observation.simulation.settle();
    },
  );

  it('shares with them afterwards what it shared before', async () => {
    const observation = observed();
    const { simulation, engine } = observation;
    const answering = [1, 2].map((id) => ({ id, prompt: [...pagesOf('abcd'), id], ...LONG }));
    const prompt = { id: 3, prompt: pagesOf('abcdefghijklmn'), ...LONG };
    const prefill = await promptAmidAnswers(observation, answering, prompt);
    expect(prefill.length).toBeGreaterThanOrEqual(2);
    for (const step of prefill) expect(step.cells).toBe(own(step));
    // Sixteen tokens once, and what each has by itself.
    const lengths = [0, 1, 2].map((sequence) => engine.sequenceLength(sequence) - 16);
    expect(engine.cellsInUse).toBe(16 + lengths.reduce((sum, length) => sum + length, 0));
    await simulation.settle();
  });

  it('takes none of their cells from what is reported as used', async () => {
    const observation = observed();
    const { simulation, engine, steps } = observation;
    const answering = [1, 2].map((id) => ({ id, prompt: [...pagesOf('abcd'), id], ...LONG }));
    const prompt = { id: 3, prompt: pagesOf('abcdefghijklmn'), ...LONG };
    const [chunk] = await promptAmidAnswers(observation, answering, prompt);
    const before = chunk && steps[steps.indexOf(chunk) - 1];
    expect(before?.tokens).toBe(2);
    // Of the cells that the answers were in then, and of their two new ones, the prompt shares sixteen.
    expect(chunk?.cells).toBe(16);
    expect(chunk?.reported).toBe((before?.cells ?? 0) + 2);
    await simulation.settle();
    expect(simulation.scheduler.report().cache.cells.used).toBe(engine.cellsInUse);
  });

  it('is computed beside answers of less than a page, which stay', async () => {
    const observation = observed();
    const short = { id: 9, prompt: [7], maxTokens: 2, ignoreEnd: true };
    observation.simulation.submit(ANSWERING[0]!);
    await observation.simulation.steps(3);
    observation.simulation.submit(short);
    observation.simulation.submit(PROMPT);
    await observation.simulation.settle();
  });

  it.each([
    ['on a GPU', undefined],
    ['where it has too few tokens for that', 1000],
  ])('is computed beside them %s', async (_, swapWorthTokens) => {
    const observation = observed({ cache: { swapWorthTokens } });
    const prefill = await promptAmidAnswers(observation);
    expect(prefill.length).toBeGreaterThanOrEqual(2);
    for (const step of prefill) expect(step.cells).toBeGreaterThan(own(step));
    await observation.simulation.settle();
  });

  it.each([
    ['fails', (simulation: TieredSimulation) => simulation.engine.failNextDecode('a test')],
    ['is aborted', (simulation: TieredSimulation) => simulation.abort(PROMPT.id)],
  ])('leaves them as they were when it %s', async (_, end) => {
    const observation = observed({ msPerBatch: 2 });
    const { simulation, steps } = observation;
    for (const asked of ANSWERING) simulation.submit(asked);
    await simulation.steps(20);
    simulation.submit(PROMPT);
    for (let i = 0; i < 20 && (steps.at(-1)?.tokens ?? 0) < 3; i++) await simulation.steps(1);
    end(simulation);
    await simulation.drain();
    for (const asked of ANSWERING) simulation.expectAnswered(asked);
    expect(simulation.error).toBeUndefined();
  });

  it('ends the scheduler when they cannot be put back: nothing that they held is there any more', async () => {
    const observation = observed({ msPerBatch: 2 });
    const { simulation, engine, steps } = observation;
    for (const asked of ANSWERING) simulation.submit(asked);
    await simulation.steps(20);
    simulation.submit(PROMPT);
    for (let i = 0; i < 20 && (steps.at(-1)?.tokens ?? 0) < 3; i++) await simulation.steps(1);
    engine.pages.restore = () => 'rejected';
    await simulation.steps(4);
    expect(String(simulation.error)).toContain('could not be put back: rejected');
  });

  it('leaves their pages in L2 alone while they are out, though L2 needs the room', async () => {
    const prefetch = { policy: 'wait_complete' } as const;
    const observation = observed({ hostPages: 10, msPerBatch: 100, prefetch });
    const { simulation, steps } = observation;
    await simulation.stored('uvwx', 'opqr');
    for (const asked of ANSWERING) simulation.submit(asked);
    await simulation.steps(800);
    simulation.submit(PROMPT);
    for (let i = 0; i < 400 && (steps.at(-1)?.tokens ?? 0) < 3; i++) await simulation.steps(1);
    expect(steps.at(-1)?.tokens).toBeGreaterThan(3);
    // What is fetched for these takes the room of copies of what the device has, while the prompt is computed.
    simulation.submit({ id: 5, prompt: pagesOf('uvwx1'), maxTokens: 1 });
    simulation.submit({ id: 6, prompt: pagesOf('opqr1'), maxTokens: 1 });
    await simulation.steps(20);
    expect(simulation.counts.prefetchedTokens).toBeGreaterThanOrEqual(8);
    await simulation.settle();
  });
});

describe('sequences', () => {
  /** Three of ten tokens, computed in turn. */
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

  const lengths = (engine: SimulatedEngine) => [0, 1, 2].map((sequence) => engine.sequenceLength(sequence));

  it('stay where they are where too much of them would have to be copied', async () => {
    const engine = await inTurn();
    // Two whole pages and one that ends with each sequence.
    const [less, enough] = [8, 9].map(
      (pages) => new Swapping(engine, engine.pages, undefined, 0, pages * engine.pages.bytes),
    );
    less?.swapOut([1], 1, unknownWays());
    expect(lengths(engine)).toEqual([10, 10, 10]);
    less?.swapIn();
    enough?.swapOut([1], 1, unknownWays());
    expect(lengths(engine)).toEqual([0, 10, 0]);
    enough?.swapIn();
    enough?.swapIn();
    expect(lengths(engine)).toEqual([10, 10, 10]);
  });

  it.each([
    ['is room for all of them', 66, [0, 10, 0]],
    ['is none for the page of which a part is put back', 67, [10, 10, 10]],
  ])('are taken out where, beside what the step adds, there %s', async (_, tokens, expected) => {
    const engine = await inTurn();
    const swapping = new Swapping(engine, engine.pages, undefined, 0);
    swapping.swapOut([1], tokens, unknownWays());
    expect(lengths(engine)).toEqual(expected);
    swapping.swapIn();
    expect(lengths(engine)).toEqual([10, 10, 10]);
  });

  it.each([
    [47, [10, 10, 10]],
    [48, [0, 10, 0]],
  ])('are taken out where that is worth it: for %i tokens', async (tokens, expected) => {
    const engine = await inTurn();
    const swapping = new Swapping(engine, engine.pages, undefined, 32);
    swapping.swapOut([1], tokens, unknownWays());
    expect(lengths(engine)).toEqual(expected);
    swapping.swapIn();
  });
});
