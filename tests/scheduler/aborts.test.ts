import { describe, expect, it } from 'vitest';
import { Simulation } from '../support/simulation.ts';

describe('an aborted request', () => {
  it('is gone after one step, whenever it is aborted', async () => {
    for (let moment = 0; moment < 20; moment++) {
      const simulation = new Simulation({ chunkedPrefillSize: 8, maxPrefillTokens: 8 });
      const told = simulation.submit({ id: 0, prompt: 60, maxTokens: 10, ignoreEnd: true });
      await simulation.steps(moment);
      const before = told.tokens.length;
      simulation.abort(0);
      await simulation.steps(1);
      simulation.expectIdle();
      expect(told).toMatchObject({ ended: moment >= 17 ? [{ reason: 'length' }] : [], failures: [] });
      expect(told.tokens.length).toBe(before);
    }
  });

  it('is gone after one step while it waits', async () => {
    const simulation = new Simulation({ maxRunningRequests: 1 });
    const first = { id: 0, prompt: 10, maxTokens: 20, ignoreEnd: true };
    simulation.submit(first);
    simulation.submit({ id: 1, prompt: 10 });
    simulation.submit({ id: 2, prompt: 10 });
    await simulation.steps(5);
    simulation.abort(1);
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 1 });
    await simulation.drain();
    simulation.expectAnswered(first);
    simulation.expectAnswered({ id: 2, prompt: 10 });
    simulation.expectIdle();
  });

  it('is gone after one step when it was put back', async () => {
    const simulation = new Simulation({ cells: 250 });
    const old = { id: 0, prompt: 20, maxTokens: 200, ignoreEnd: true };
    simulation.submit(old);
    simulation.submit({ id: 1, prompt: 20, maxTokens: 180, ignoreEnd: true });
    while (simulation.scheduler.report().preemptions === 0) await simulation.steps(1);
    simulation.abort(1);
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 1, waiting: 0, samplers: 1 });
    await simulation.drain();
    simulation.expectAnswered(old);
    simulation.expectIdle();
  });

  it('ends a decode that nobody else waits for', async () => {
    const simulation = new Simulation({ msPerBatch: 1000 });
    simulation.submit({ id: 0, prompt: 10 });
    simulation.submit({ id: 1, prompt: 10 });
    await simulation.steps(10);
    simulation.abort(0);
    await simulation.steps(10);
    expect(simulation.held()).toMatchObject({ running: 2, sleepers: 1 });
    simulation.abort(1);
    await simulation.steps(10);
    expect(simulation.clock.now()).toBe(30);
    simulation.expectIdle();
  });

  it('takes nothing from the requests that were computed with it', async () => {
    const simulation = new Simulation();
    const requests = [0, 1, 2, 3].map((id) => ({ id, prompt: 5 + id, maxTokens: 12, ignoreEnd: true }));
    for (const asked of requests) simulation.submit(asked);
    await simulation.steps(6);
    simulation.abort(1);
    simulation.abort(2);
    await simulation.drain();
    simulation.expectAnswered(requests[0]!);
    simulation.expectAnswered(requests[3]!);
    simulation.expectIdle();
  });

  it('leaves its sequence to another one, which gets its own answer', async () => {
    const simulation = new Simulation({ maxRunningRequests: 1 });
    simulation.submit({ id: 0, prompt: 30, maxTokens: 50, ignoreEnd: true });
    await simulation.steps(20);
    simulation.abort(0);
    const next = { id: 1, prompt: 31, maxTokens: 50, ignoreEnd: true };
    simulation.submit(next);
    await simulation.drain();
    simulation.expectAnswered(next);
  });
});

describe('an abort', () => {
  it('of an unknown, an ended or an aborted request does nothing', async () => {
    const simulation = new Simulation();
    const asked = { id: 0, prompt: 5, maxTokens: 8, ignoreEnd: true };
    simulation.scheduler.abort(99);
    simulation.submit(asked);
    simulation.submit({ id: 1, prompt: 5 });
    await simulation.steps(2);
    simulation.abort(1);
    simulation.abort(1);
    simulation.scheduler.abort(99);
    await simulation.drain();
    simulation.scheduler.abort(0);
    await simulation.drain();
    simulation.expectAnswered(asked);
    simulation.expectIdle();
  });

  it('from within the output is heeded at once', async () => {
    const simulation = new Simulation();
    const { output, scheduler } = simulation;
    const { started, tokens } = output;
    // What a client does that finds its stop string, or has gone away before its first token.
    output.tokens = (...args) => {
      tokens.apply(output, args);
      if (output.of(0).tokens.length === 3) scheduler.abort(0);
    };
    output.started = (id, cached) => {
      started.call(output, id, cached);
      if (id === 1) simulation.abort(1);
    };
    simulation.submit({ id: 0, prompt: 5, maxTokens: 8, ignoreEnd: true });
    simulation.submit({ id: 1, prompt: 5, maxTokens: 8, ignoreEnd: true });
    simulation.submit({ id: 2, prompt: 5, maxTokens: 8, ignoreEnd: true });
    await simulation.drain();
    expect(output.of(0).tokens).toHaveLength(3);
    expect(output.of(1).tokens).toHaveLength(0);
    simulation.expectAnswered({ id: 2, prompt: 5, maxTokens: 8, ignoreEnd: true });
    simulation.expectIdle();
  });
});
