import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectedGreedy } from '../../src/engine/simulated/simulated-engine.ts';
import { type Asked, expectedAnswer, Simulation, spec, VOCABULARY } from '../support/simulation.ts';

interface Arrival {
  after: number;
  prompt: number;
  maxTokens: number;
  temperature: number;
}

const arrivals = fc.array(
  fc.record({
    after: fc.nat({ max: 12 }),
    prompt: fc.integer({ min: 1, max: 60 }),
    maxTokens: fc.integer({ min: 1, max: 240 }),
    temperature: fc.constantFrom(0, 0, 0.7, 1.5),
  }),
  { minLength: 1, maxLength: 14 },
);

const limits = fc.record({
  // The largest request takes 300 cells: it only just fits, and little else beside it.
  cells: fc.integer({ min: 300, max: 400 }),
  batchTokens: fc.integer({ min: 1, max: 64 }),
  sequences: fc.integer({ min: 1, max: 8 }),
  maxRunningRequests: fc.integer({ min: 1, max: 8 }),
  chunkedPrefillSize: fc.integer({ min: 1, max: 24 }),
  mixedChunk: fc.boolean(),
  maxPrefillTokens: fc.integer({ min: 1, max: 48 }),
});

async function serve(simulation: Simulation, requests: Arrival[]): Promise<Asked[]> {
  const asked: Asked[] = [];
  for (const [id, { after, ...request }] of requests.entries()) {
    if (after > 0) await simulation.steps(after);
    asked.push({ id, seed: id * 977, ignoreEnd: id % 4 > 0, ...request });
    simulation.submit(asked[id]!);
  }
  await simulation.drain();
  return asked;
}

describe('answers', () => {
  it('are the ones that each request gets alone, however requests arrive and whatever the limits', async () => {
    let preemptions = 0;
    await fc.assert(
      fc.asyncProperty(arrivals, limits, async (requests, chosen) => {
        const simulation = new Simulation(chosen);
        for (const asked of await serve(simulation, requests)) simulation.expectAnswered(asked);
        simulation.expectIdle();
        preemptions += simulation.scheduler.report().preemptions;
      }),
      { numRuns: 150 },
    );
    expect(preemptions, 'the cells are so few that requests are put back').toBeGreaterThan(10);
  });

  it('are the greedy continuation of the prompt', async () => {
    const simulation = new Simulation();
    for (let id = 0; id < 20; id++) simulation.submit({ id, prompt: 1 + 7 * id, maxTokens: 30 });
    await simulation.drain();
    for (let id = 0; id < 20; id++) {
      const { prompt } = spec({ id, prompt: 1 + 7 * id });
      const expected = expectedGreedy(prompt, 30, VOCABULARY).filter((token) => token !== 0);
      expect(simulation.output.of(id).tokens).toEqual(expected);
    }
  });

  it('draw the same tokens from the same seed whether or not the request was put back', async () => {
    const asked = { id: 1, prompt: 20, maxTokens: 180, temperature: 1, seed: 4711, ignoreEnd: true };
    const alone = new Simulation();
    alone.submit(asked);
    await alone.drain();
    const crowded = new Simulation({ cells: 250 });
    crowded.submit({ id: 0, prompt: 10, maxTokens: 200, ignoreEnd: true });
    crowded.submit(asked);
    await crowded.drain();
    expect(crowded.scheduler.report().preemptions).toBeGreaterThan(0);
    expect(crowded.output.of(1).tokens).toHaveLength(180);
    expect(crowded.output.of(1).tokens).toEqual(alone.output.of(1).tokens);
    const other = expectedAnswer({ ...asked, seed: 4712 });
    expect(other.tokens).not.toEqual(alone.output.of(1).tokens);
  });

  it('of one step leave as one message', async () => {
    const simulation = new Simulation();
    for (let id = 0; id < 3; id++) simulation.submit({ id, prompt: 2, maxTokens: 5, ignoreEnd: true });
    await simulation.drain();
    expect(simulation.output.messages).toEqual(Array(5).fill([0, 1, 2]));
  });
});
