import { describe, expect, it } from 'vitest';
import { Simulation } from '../support/simulation.ts';

describe('admission', () => {
  it('lets a request wait until its cells are free', async () => {
    const simulation = new Simulation({ cells: 200 });
    simulation.submit({ id: 0, prompt: 120, maxTokens: 40, ignoreEnd: true });
    const second = simulation.submit({ id: 1, prompt: 100, maxTokens: 4, ignoreEnd: true });
    await simulation.steps(20);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 1, sequences: 1 });
    expect(second.started).toEqual([]);
    await simulation.drain();
    simulation.expectAnswered({ id: 1, prompt: 100, maxTokens: 4, ignoreEnd: true });
    expect(simulation.scheduler.report().preemptions).toBe(0);
  });

  it('lets later requests wait behind the first one that does not fit', async () => {
    const simulation = new Simulation({ cells: 200 });
    simulation.submit({ id: 0, prompt: 120, maxTokens: 40, ignoreEnd: true });
    simulation.submit({ id: 1, prompt: 100, maxTokens: 4 });
    const small = simulation.submit({ id: 2, prompt: 1, maxTokens: 1 });
    await simulation.steps(20);
    expect(small.started).toEqual([]);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 2 });
  });

  it('runs no more requests at once than was allowed, and than the engine has sequences', async () => {
    for (const limit of [{ maxRunningRequests: 3 }, { sequences: 3 }]) {
      const simulation = new Simulation(limit);
      for (let id = 0; id < 8; id++) simulation.submit({ id, prompt: 4, maxTokens: 8, ignoreEnd: true });
      await simulation.steps(2);
      expect(simulation.held()).toMatchObject({ running: 3, waiting: 5, sequences: 3 });
      await simulation.drain();
      simulation.expectIdle();
    }
  });

  it('runs no more requests at once than a batch has tokens', async () => {
    const simulation = new Simulation({ batchTokens: 2 });
    for (let id = 0; id < 5; id++) simulation.submit({ id, prompt: 4, maxTokens: 8 });
    await simulation.drain();
    for (let id = 0; id < 5; id++) simulation.expectAnswered({ id, prompt: 4, maxTokens: 8 });
  });

  it('refuses what can never fit into the cells', async () => {
    const simulation = new Simulation({ cells: 100, contextLength: 500 });
    const told = simulation.submit({ id: 0, prompt: 90, maxTokens: 20, ignoreEnd: true });
    expect(told.failures.map(({ code }) => code)).toEqual(['context_length_exceeded']);
    const largest = { id: 1, prompt: 90, maxTokens: 10, ignoreEnd: true };
    simulation.submit(largest);
    await simulation.drain();
    simulation.expectAnswered(largest);
  });

  it('refuses a prompt that is empty or longer than the context', () => {
    const simulation = new Simulation({ contextLength: 50 });
    const codes = (told: { failures: { code: string }[] }) => told.failures.map(({ code }) => code);
    expect(codes(simulation.submit({ id: 0, prompt: 0 }))).toEqual(['empty_prompt']);
    expect(codes(simulation.submit({ id: 1, prompt: 40, maxTokens: 11 }))).toEqual([
      'context_length_exceeded',
    ]);
    expect(codes(simulation.submit({ id: 2, prompt: 40, maxTokens: 10 }))).toEqual([]);
  });

  it('refuses requests beyond the length of the queue, and takes new ones when it is shorter', async () => {
    const simulation = new Simulation({ maxRunningRequests: 1, maxQueuedRequests: 2 });
    simulation.submit({ id: 0, prompt: 2, maxTokens: 10, ignoreEnd: true });
    await simulation.steps(1);
    simulation.submit({ id: 1, prompt: 2 });
    simulation.submit({ id: 2, prompt: 2, grammar: 'root ::= "a"' });
    const refused = simulation.submit({ id: 3, prompt: 2 });
    expect(refused.failures.map(({ code }) => code)).toEqual(['queue_full']);
    await simulation.drain();
    expect(simulation.submit({ id: 4, prompt: 2 }).failures).toEqual([]);
    await simulation.drain();
    simulation.expectAnswered({ id: 4, prompt: 2 });
  });
});

describe('when the cells run out', () => {
  const old = { id: 0, prompt: 20, maxTokens: 200, ignoreEnd: true };
  const young = { id: 1, prompt: 20, maxTokens: 180, ignoreEnd: true };

  it('the youngest request is put back, computed again, and loses and repeats no token', async () => {
    const simulation = new Simulation({ cells: 250 });
    simulation.submit(old);
    simulation.submit(young);
    await simulation.drain();
    expect(simulation.scheduler.report().preemptions).toBeGreaterThan(0);
    simulation.expectAnswered(old);
    simulation.expectAnswered(young);
    expect(simulation.output.of(1).started).toEqual([{ device: 0, host: 0, storage: 0 }]);
    // The older one was never held up.
    expect(simulation.output.of(0).at).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    simulation.expectIdle();
  });

  it('a request that was put back keeps its sampler and gives back its cells and its sequence', async () => {
    const simulation = new Simulation({ cells: 250 });
    simulation.submit(old);
    simulation.submit(young);
    while (simulation.scheduler.report().preemptions === 0) await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 1, sequences: 1, samplersOpen: 2 });
  });

  it('a request that was put back goes before those that came later', async () => {
    const simulation = new Simulation({ cells: 250, maxRunningRequests: 2 });
    simulation.submit(old);
    simulation.submit(young);
    const small = { id: 2, prompt: 2, maxTokens: 1, ignoreEnd: true };
    const told = simulation.submit(small);
    while (simulation.scheduler.report().preemptions === 0) await simulation.steps(1);
    await simulation.steps(10);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 2 });
    expect(told.started).toEqual([]);
    await simulation.drain();
    simulation.expectAnswered(small);
  });

  it('the youngest is the one that came last, not the one that was admitted last', async () => {
    const simulation = new Simulation({ cells: 250 });
    const compiled = { ...old, grammar: 'root ::= "a"', minTokens: 200 };
    simulation.submit(compiled);
    simulation.submit(young);
    await simulation.drain();
    expect(simulation.scheduler.report().preemptions).toBeGreaterThan(0);
    const { at } = simulation.output.of(0);
    expect(at).toEqual(Array.from({ length: 200 }, (_, i) => at[0]! + i));
    simulation.expectAnswered(compiled);
    simulation.expectAnswered(young);
  });

  it('an engine that finds no room has the youngest put back', async () => {
    const simulation = new Simulation();
    simulation.submit({ ...old, maxTokens: 9 });
    simulation.submit({ ...young, maxTokens: 9 });
    await simulation.steps(4);
    simulation.engine.noRoom = 1;
    await simulation.drain();
    expect(simulation.scheduler.report().preemptions).toBe(1);
    simulation.expectAnswered({ ...old, maxTokens: 9 });
    simulation.expectAnswered({ ...young, maxTokens: 9 });
  });

  it('a request alone that finds no room fails instead of trying for ever', async () => {
    const simulation = new Simulation();
    const told = simulation.submit(old);
    await simulation.steps(4);
    simulation.engine.noRoom = 1000;
    await simulation.steps(1);
    expect(told.failures.map(({ code }) => code)).toEqual(['engine_failed']);
    expect(simulation.engine.noRoom).toBe(999);
    simulation.expectIdle();
  });
});
