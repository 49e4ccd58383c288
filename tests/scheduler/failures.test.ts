import { describe, expect, it } from 'vitest';
import { GREEDY, Simulation } from '../support/simulation.ts';

const asked = (id: number) => ({ id, prompt: 10, maxTokens: 10, ignoreEnd: true });

describe('a decode that fails', () => {
  it('fails the requests of its batch, and the scheduler goes on', async () => {
    const simulation = new Simulation({ maxRunningRequests: 2 });
    const told = [0, 1, 2].map((id) => simulation.submit(asked(id)));
    await simulation.steps(3);
    simulation.engine.failNextDecode('no such operation');
    await simulation.drain();
    for (const { failures, ended } of told.slice(0, 2)) {
      expect(failures).toMatchObject([
        { code: 'engine_failed', message: 'The engine failed: no such operation' },
      ]);
      expect(ended).toEqual([]);
    }
    simulation.expectAnswered(asked(2));
    simulation.expectIdle();
  });

  it('leaves running requests alone that were not in the batch', async () => {
    const simulation = new Simulation({ maxPrefillTokens: 5, chunkedPrefillSize: 5 });
    const told = [0, 1].map((id) => simulation.submit(asked(id)));
    simulation.engine.failNextDecode('no such operation');
    await simulation.drain();
    expect(told[0]?.failures).toHaveLength(1);
    simulation.expectAnswered(asked(1));
    simulation.expectIdle();
  });

  it('says nothing to a request that was aborted meanwhile', async () => {
    const simulation = new Simulation();
    simulation.submit(asked(0));
    const other = simulation.submit(asked(1));
    await simulation.steps(3);
    simulation.engine.failNextDecode('no such operation');
    simulation.abort(0);
    await simulation.drain();
    expect(other.failures).toHaveLength(1);
    simulation.expectIdle();
  });
});

describe('a sampler that throws', () => {
  it('fails its own request only', async () => {
    const simulation = new Simulation();
    const told = [0, 1, 2].map((id) => simulation.submit(asked(id)));
    await simulation.steps(4);
    simulation.engine.samplerError = new Error('secret');
    await simulation.drain();
    expect(told[0]?.failures).toMatchObject([{ code: 'internal', cause: { message: 'secret' } }]);
    expect(told[0]?.failures[0]?.message).not.toContain('secret');
    simulation.expectAnswered(asked(1));
    simulation.expectAnswered(asked(2));
    simulation.expectIdle();
  });

  it('fails its own request only, when it cannot even be made', async () => {
    const simulation = new Simulation();
    const { createSampler } = simulation.engine;
    simulation.engine.createSampler = () => {
      simulation.engine.createSampler = createSampler;
      throw new Error('no memory');
    };
    const told = simulation.submit({ ...asked(0), grammar: 'root ::= "a"' });
    await simulation.steps(5);
    simulation.submit(asked(1));
    await simulation.drain();
    expect(told.failures).toMatchObject([{ code: 'internal' }]);
    expect(told.started).toEqual([]);
    simulation.expectAnswered(asked(1));
    simulation.expectIdle();
  });
});

describe('a batch that cannot be filled', () => {
  it('fails its requests, and the scheduler goes on', async () => {
    const simulation = new Simulation();
    const told = simulation.output.of(0);
    simulation.scheduler.submit({
      id: 0,
      prompt: Int32Array.of(1, 2, 99),
      sampling: GREEDY,
      ignoreEndOfGeneration: false,
    });
    await simulation.drain();
    expect(told.failures).toMatchObject([{ code: 'internal' }]);
    simulation.submit(asked(1));
    await simulation.drain();
    simulation.expectAnswered(asked(1));
    simulation.expectIdle();
  });
});

describe('an output that throws', () => {
  it('ends the scheduler with that error: what was lost cannot be told', async () => {
    const simulation = new Simulation();
    simulation.output.tokens = () => {
      throw new Error('the message is too large');
    };
    simulation.submit({ ...asked(0), maxTokens: 1 });
    simulation.submit(asked(1));
    await simulation.steps(1);
    await expect(simulation.ended).rejects.toThrow('the message is too large');
  });
});
