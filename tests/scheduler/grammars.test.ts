import { describe, expect, it } from 'vitest';
import { Simulation } from '../support/simulation.ts';

const GRAMMAR = 'root ::= "a"';
const asked = (id: number, grammar: string | undefined = GRAMMAR) => ({
  id,
  prompt: 10,
  maxTokens: 10,
  minTokens: 1,
  grammar,
});

describe('a grammar', () => {
  it('is compiled while other requests are served', async () => {
    const simulation = new Simulation({ msPerGrammar: 20 });
    simulation.submit({ ...asked(0), maxTokens: 4 });
    const other = { id: 1, prompt: 10, maxTokens: 10 };
    simulation.submit(other);
    await simulation.steps(19);
    simulation.expectAnswered(other);
    expect(simulation.held()).toMatchObject({ running: 0, waiting: 0, compilingGrammars: 1 });
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ running: 1, compilingGrammars: 0, grammars: 1 });
    await simulation.drain();
    simulation.expectAnswered({ ...asked(0), maxTokens: 4 });
    simulation.expectIdle();
  });

  it('is compiled after those that came before it', async () => {
    const simulation = new Simulation({ msPerGrammar: 20 });
    for (let id = 0; id < 3; id++) simulation.submit(asked(id));
    await simulation.drain();
    const first = [0, 1, 2].map((id) => simulation.output.of(id).at[0]);
    expect(first).toEqual([21, 41, 61]);
  });

  it('that cannot be compiled fails its own request', async () => {
    const simulation = new Simulation();
    const told = simulation.submit(asked(0, ''));
    simulation.submit(asked(1));
    await simulation.drain();
    expect(told.failures).toMatchObject([{ code: 'grammar_failed' }]);
    simulation.expectAnswered(asked(1));
    simulation.expectIdle();
  });

  it('that takes too long fails its request, and is closed when it is there after all', async () => {
    const simulation = new Simulation({ msPerGrammar: 15_000 });
    const told = simulation.submit(asked(0));
    await simulation.clock.advance(9_999);
    expect(told.failures).toEqual([]);
    await simulation.clock.advance(1);
    expect(told.failures).toMatchObject([{ code: 'deadline_exceeded' }]);
    expect(simulation.held()).toMatchObject({ compilingGrammars: 1, waiting: 0 });
    await simulation.drain();
    simulation.expectIdle();
  });

  it('that nobody waits for any more is not begun', async () => {
    const simulation = new Simulation({ msPerGrammar: 8_000 });
    let begun = 0;
    const { compileGrammar } = simulation.engine;
    simulation.engine.compileGrammar = (gbnf) => {
      begun++;
      return compileGrammar.call(simulation.engine, gbnf);
    };
    for (let id = 0; id < 5; id++) simulation.submit(asked(id));
    await simulation.clock.advance(1_000);
    // The first one is being compiled; the next two are not wanted when their turn comes.
    simulation.abort(1);
    simulation.abort(2);
    await simulation.clock.advance(7_001);
    expect(simulation.held().compilingGrammars).toBe(2);
    await simulation.clock.advance(2_000);
    // One was begun and one still waits when both are too late.
    for (const id of [3, 4]) {
      expect(simulation.output.of(id).failures).toMatchObject([{ code: 'deadline_exceeded' }]);
    }
    await simulation.drain();
    expect(begun).toBe(2);
    simulation.expectIdle();
  });

  it('of a request that is aborted while it is compiled is closed', async () => {
    for (let moment = 0; moment < 8; moment++) {
      const simulation = new Simulation();
      const told = simulation.submit(asked(0));
      await simulation.steps(moment);
      simulation.abort(0);
      await simulation.drain();
      expect(told.failures).toEqual([]);
      simulation.expectIdle();
    }
  });

  it('of a request that is aborted before its first token is closed', async () => {
    const simulation = new Simulation({ maxRunningRequests: 1 });
    simulation.submit({ id: 0, prompt: 5, maxTokens: 100, ignoreEnd: true });
    simulation.submit(asked(1));
    await simulation.steps(20);
    expect(simulation.held()).toMatchObject({ waiting: 1, grammars: 1 });
    simulation.abort(1);
    await simulation.steps(1);
    expect(simulation.held()).toMatchObject({ waiting: 0, grammars: 0 });
  });
});
