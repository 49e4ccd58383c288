import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Simulation, type SimulationOptions } from '../support/simulation.ts';

const LIMITS = { chunkedPrefillSize: 16, maxPrefillTokens: 48, batchTokens: 64 };

/** Tokens of each sequence in every step so far. */
function shares(simulation: Simulation): Map<number, number>[] {
  return simulation.engine.steps.map((step) => {
    const share = new Map<number, number>();
    for (const { sequence } of step) share.set(sequence, (share.get(sequence) ?? 0) + 1);
    return share;
  });
}

describe('chunked prefill', () => {
  it('lets a decoding request have a token every step while a long prompt is computed', async () => {
    const simulation = new Simulation(LIMITS);
    const decoding = simulation.submit({ id: 0, prompt: 4, maxTokens: 80, ignoreEnd: true });
    await simulation.steps(2);
    simulation.submit({ id: 1, prompt: 500, maxTokens: 4 });
    await simulation.drain();
    expect(decoding.at).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
    simulation.expectAnswered({ id: 1, prompt: 500, maxTokens: 4 });
  });

  it('computes at most a chunk of prompt beside a decode, and more when nothing decodes', async () => {
    const simulation = new Simulation(LIMITS);
    simulation.submit({ id: 0, prompt: 110, maxTokens: 20, ignoreEnd: true });
    await simulation.steps(3);
    // The fourth step has begun without it.
    simulation.submit({ id: 1, prompt: 40, maxTokens: 20, ignoreEnd: true });
    await simulation.drain();
    const perStep = shares(simulation).map((share) => [...share.values()]);
    expect(perStep.slice(2, 7)).toEqual([[14], [1], [1, 16], [1, 16], [1, 8]]);
  });

  it.each([true, false])(
    'tells how quickly it goes, but not of one token (mixed: %s)',
    async (mixedChunk) => {
      const simulation = new Simulation({ ...LIMITS, mixedChunk });
      const told: number[] = [];
      simulation.tiers.cache.computed = (tokens) => void told.push(tokens);
      for (const id of [0, 1]) {
        simulation.submit({
          id,
          prompt: Array.from({ length: 40 }, (_, i) => i % 7),
          maxTokens: 3,
          ignoreEnd: true,
        });
        await simulation.drain();
      }
      // All but the last one is cached the second time.
      expect(told).toEqual([40]);
    },
  );

  it('never builds a batch beyond what the engine takes', async () => {
    const limits = fc.record<SimulationOptions>({
      batchTokens: fc.integer({ min: 1, max: 20 }),
      maxRunningRequests: fc.integer({ min: 1, max: 16 }),
      chunkedPrefillSize: fc.integer({ min: 1, max: 40 }),
      maxPrefillTokens: fc.integer({ min: 1, max: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(limits, async (chosen) => {
        const simulation = new Simulation(chosen);
        for (let id = 0; id < 20; id++) simulation.submit({ id, prompt: 1 + 3 * id, maxTokens: 12 });
        await simulation.drain();
        for (const step of simulation.engine.steps) {
          expect(step.length).toBeLessThanOrEqual(chosen.batchTokens!);
        }
        for (let id = 0; id < 20; id++) {
          simulation.expectAnswered({ id, prompt: 1 + 3 * id, maxTokens: 12 });
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('fairness', () => {
  it('gives a short prompt behind a very long one its first token soon', async () => {
    const simulation = new Simulation(LIMITS);
    simulation.submit({ id: 0, prompt: 3000, maxTokens: 1 });
    await simulation.steps(3);
    const short = simulation.submit({ id: 1, prompt: 40, maxTokens: 1, ignoreEnd: true });
    await simulation.drain();
    // Half of 48 tokens a step: two steps, and the one that was running when it came.
    expect(short.at[0]! - 3).toBeLessThanOrEqual(3);
    expect(simulation.output.of(0).at[0]! - 3).toBeGreaterThan(40);
  });

  it('lets a long prompt advance in every other step whatever short ones come, where they take turns', async () => {
    const simulation = new Simulation({ ...LIMITS, mixedChunk: false });
    const long = simulation.submit({ id: 0, prompt: 160, maxTokens: 1, ignoreEnd: true });
    await simulation.steps(1);
    for (let id = 1; id < 60; id++) {
      simulation.submit({ id, prompt: 4, maxTokens: 1 });
      await simulation.steps(1);
    }
    await simulation.drain();
    // Three pieces of 48 and one of 16, or ten of 16 beside short ones.
    expect(long.at[0]).toBeLessThanOrEqual(2 * 10 + 2);
  });

  it('lets the long prompt advance by at least half of the budget whatever comes behind it', async () => {
    const simulation = new Simulation(LIMITS);
    simulation.submit({ id: 0, prompt: 1000, maxTokens: 1 });
    for (let id = 1; id < 200; id++) {
      simulation.submit({ id, prompt: 20, maxTokens: 1 });
      await simulation.steps(1);
    }
    await simulation.drain();
    const advances = shares(simulation).flatMap((share) => share.get(0) ?? []);
    // The first sequence is the long prompt's until it is computed.
    let computed = 0;
    for (const tokens of advances) {
      if (computed >= 1000 - 24) break;
      expect(tokens).toBeGreaterThanOrEqual(24);
      computed += tokens;
    }
    simulation.expectAnswered({ id: 0, prompt: 1000, maxTokens: 1 });
  });

  it('gives equal prompts their first tokens in order of arrival', async () => {
    const simulation = new Simulation(LIMITS);
    for (let id = 0; id < 12; id++) simulation.submit({ id, prompt: 30, maxTokens: 3, ignoreEnd: true });
    await simulation.drain();
    const first = Array.from({ length: 12 }, (_, id) => simulation.output.of(id).at[0]!);
    expect(first).toEqual(first.toSorted((a, b) => a - b));
  });

  it('ends a prompt of middle length under a stream of short ones', async () => {
    const simulation = new Simulation({ ...LIMITS, maxRunningRequests: 4 });
    simulation.submit({ id: 0, prompt: 300, maxTokens: 1 });
    const middle = simulation.submit({ id: 1, prompt: 200, maxTokens: 1, ignoreEnd: true });
    for (let id = 2; id < 100; id++) {
      simulation.submit({ id, prompt: 30, maxTokens: 1 });
      await simulation.steps(1);
    }
    // At worst it waits for the one before it, and then advances by half of every budget itself.
    expect(middle.at[0]).toBeLessThanOrEqual(300 / 24 + 200 / 24 + 2);
  });
});
