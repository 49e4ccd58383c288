import { describe, expect, it, vi } from 'vitest';
import { Simulation } from '../support/simulation.ts';

describe('an idle scheduler', () => {
  it('makes no step and sets no timer', async () => {
    const simulation = new Simulation();
    simulation.submit({ id: 0, prompt: 20, maxTokens: 10, grammar: 'root ::= "a"' });
    await simulation.steps(30);
    simulation.expectIdle();
    const { steps } = simulation.scheduler.report();
    await simulation.clock.advance(24 * 3600 * 1000);
    expect(simulation.scheduler.report().steps).toBe(steps);
    simulation.expectIdle();
  });

  it('makes no step for what it has nothing to do with', async () => {
    const simulation = new Simulation();
    await simulation.drain();
    simulation.scheduler.abort(1);
    simulation.submit({ id: 2, prompt: 0 });
    simulation.submit({ id: 3, prompt: 5 });
    simulation.abort(3);
    await simulation.drain();
    expect(simulation.scheduler.report().steps).toBe(0);
    simulation.expectIdle();
  });

  it('tells L2 when it sleeps, and before it computes again', async () => {
    const simulation = new Simulation({ cache: { hostPages: 64 } });
    await simulation.drain();
    const rest = vi.spyOn(simulation.tiers.pool!, 'rest');
    simulation.submit({ id: 0, prompt: 5, maxTokens: 4, ignoreEnd: true });
    await simulation.steps(1);
    expect(rest.mock.calls).toEqual([[false]]);
    await simulation.drain();
    expect(rest.mock.calls).toEqual([[false], [true]]);
  });

  it('wakes up for a request', async () => {
    const simulation = new Simulation();
    for (let id = 0; id < 5; id++) {
      simulation.submit({ id, prompt: 5, maxTokens: 4 });
      await simulation.drain();
      simulation.expectAnswered({ id, prompt: 5, maxTokens: 4 });
      simulation.expectIdle();
    }
  });
});

describe('stopping', () => {
  it('ends every request, whatever it is doing, and releases everything', async () => {
    const simulation = new Simulation({ cells: 250, maxRunningRequests: 2, msPerGrammar: 100_000 });
    const running = simulation.submit({ id: 0, prompt: 20, maxTokens: 200, ignoreEnd: true });
    const putBack = simulation.submit({ id: 1, prompt: 20, maxTokens: 180, ignoreEnd: true });
    const waiting = simulation.submit({ id: 2, prompt: 5 });
    const compiling = simulation.submit({ id: 3, prompt: 5, grammar: 'root ::= "a"' });
    const queued = simulation.submit({ id: 4, prompt: 5, grammar: 'root ::= "a"' });
    while (simulation.scheduler.report().preemptions === 0) await simulation.steps(1);
    const stopped = simulation.scheduler.stop();
    await simulation.clock.advance(0);
    expect(simulation.over).toBe(true);
    for (const { failures } of [running, putBack, waiting, compiling, queued]) {
      expect(failures.map(({ code }) => code)).toEqual(['shutting_down']);
    }
    await simulation.drain();
    await stopped;
    simulation.expectIdle();
  });

  it('ends a decode early', async () => {
    const simulation = new Simulation({ msPerBatch: 1000 });
    simulation.submit({ id: 0, prompt: 5 });
    await simulation.steps(10);
    void simulation.scheduler.stop();
    await simulation.steps(1);
    expect(simulation.over).toBe(true);
    simulation.expectIdle();
  });

  it('ends an idle scheduler', async () => {
    const simulation = new Simulation();
    await simulation.drain();
    await simulation.scheduler.stop();
    await simulation.ended;
    simulation.expectIdle();
  });

  it('can be asked for twice, and refuses what comes later', async () => {
    const simulation = new Simulation();
    const first = simulation.submit({ id: 0, prompt: 5 });
    await Promise.all([simulation.scheduler.stop(), simulation.scheduler.stop(), simulation.drain()]);
    const late = simulation.submit({ id: 1, prompt: 5 });
    for (const { failures } of [first, late]) {
      expect(failures.map(({ code }) => code)).toEqual(['shutting_down']);
    }
    simulation.expectIdle();
  });
});
