import { describe, expect, it } from 'vitest';
import { SIMULATED_END } from '../../src/engine/simulated/prefix-function.ts';
import { expectedAnswer, Simulation, VOCABULARY } from '../support/simulation.ts';

/** A request whose greedy answer is long and ends by itself. */
const ENDING = ask((answer) => answer.ending.reason === 'stop' && answer.tokens.length > 6);

function ask(wanted: (answer: ReturnType<typeof expectedAnswer>) => boolean) {
  for (let id = 0; ; id++) {
    const asked = { id, prompt: 9, maxTokens: 100 };
    if (wanted(expectedAnswer(asked))) return asked;
  }
}

async function answerOf(asked: Parameters<Simulation['submit']>[0]) {
  const simulation = new Simulation();
  const told = simulation.submit(asked);
  await simulation.drain();
  simulation.expectIdle();
  return told;
}

describe('an answer ends', () => {
  it('with the end token, which is told apart from the others', async () => {
    const told = await answerOf(ENDING);
    expect(told.ended).toEqual([{ reason: 'stop', stop: SIMULATED_END }]);
    expect(told.tokens).toEqual(expectedAnswer(ENDING).tokens);
    expect(told.tokens).not.toContain(SIMULATED_END);
  });

  it('with a stop token, which is told apart from the others', async () => {
    const { tokens } = expectedAnswer(ENDING);
    const stop = tokens[4]!;
    const told = await answerOf({ ...ENDING, stopTokens: [stop, 31] });
    const end = tokens.findIndex((token) => token === stop || token === 31);
    expect(told.tokens).toEqual(tokens.slice(0, end));
    expect(told.ended).toEqual([{ reason: 'stop', stop: tokens[end] }]);
  });

  it('with its first token, when that is a stop token', async () => {
    const { tokens } = expectedAnswer(ENDING);
    const told = await answerOf({ ...ENDING, stopTokens: [tokens[0]!] });
    expect(told).toMatchObject({
      started: [{ device: 0, host: 0, storage: 0 }],
      tokens: [],
      ended: [{ reason: 'stop', stop: tokens[0] }],
    });
  });

  it('at its length', async () => {
    const told = await answerOf({ ...ENDING, maxTokens: 3 });
    expect(told.tokens).toEqual(expectedAnswer(ENDING).tokens.slice(0, 3));
    expect(told.ended).toEqual([{ reason: 'length', stop: undefined }]);
  });

  it('for its stop token and not for its length, when the last token is one', async () => {
    const { tokens } = expectedAnswer(ENDING);
    const told = await answerOf({ ...ENDING, maxTokens: tokens.length + 1 });
    expect(told.ended).toEqual([{ reason: 'stop', stop: SIMULATED_END }]);
  });

  it('not with the end token when that is to be ignored, and the token is part of it', async () => {
    const { tokens } = expectedAnswer(ENDING);
    const told = await answerOf({ ...ENDING, ignoreEnd: true });
    expect(told.tokens).toHaveLength(100);
    expect(told.tokens[tokens.length]).toBe(SIMULATED_END);
  });

  it('with the end token in spite of everything, when a grammar is followed', async () => {
    // After its end a grammar allows nothing but the end again.
    const asked = { ...ENDING, grammar: 'root ::= "a"', ignoreEnd: true };
    const told = await answerOf(asked);
    expect(told.tokens).toEqual(expectedAnswer(ENDING).tokens);
    expect(told.ended).toEqual([{ reason: 'stop', stop: SIMULATED_END }]);
  });

  it('not before its smallest length', async () => {
    const { tokens } = expectedAnswer(ENDING);
    const told = await answerOf({ ...ENDING, minTokens: tokens.length + 10 });
    expect(told.tokens.length).toBeGreaterThanOrEqual(tokens.length + 10);
    expect(told.tokens).not.toContain(SIMULATED_END);
    expect(told.tokens.slice(0, tokens.length)).toEqual(tokens);
  });

  it('at its length although that is its smallest length too', async () => {
    const told = await answerOf({ ...ENDING, minTokens: 20, maxTokens: 20 });
    expect(told.tokens).toHaveLength(20);
    expect(told.ended).toEqual([{ reason: 'length', stop: undefined }]);
  });

  it('when its sampler allows no token', async () => {
    const simulation = new Simulation();
    const { createSampler } = simulation.engine;
    simulation.engine.createSampler = (...args) => {
      const sampler = createSampler.apply(simulation.engine, args);
      let left = 3;
      const { sample } = sampler;
      sampler.sample = (row) => (left-- > 0 ? sample.call(sampler, row) : -1);
      return sampler;
    };
    const told = simulation.submit({ ...ENDING, ignoreEnd: true });
    await simulation.drain();
    expect(told.tokens).toHaveLength(3);
    expect(told.ended).toEqual([{ reason: 'stop', stop: undefined }]);
    simulation.expectIdle();
  });
});

describe('logprobs', () => {
  it('come with every token of the requests that asked, and with no other', async () => {
    const simulation = new Simulation();
    const plain = simulation.submit({ id: 0, prompt: 5, maxTokens: 6, ignoreEnd: true });
    const asking = simulation.submit({ id: 1, prompt: 5, maxTokens: 6, ignoreEnd: true, topLogprobs: 3 });
    const bare = simulation.submit({ id: 2, prompt: 5, maxTokens: 6, ignoreEnd: true, topLogprobs: 0 });
    await simulation.drain();
    expect(plain.logprobs).toEqual(Array(6).fill(null));
    for (const [i, logprobs] of asking.logprobs.entries()) {
      expect(logprobs?.top).toHaveLength(3);
      // Greedy: what was chosen is the likeliest.
      expect(logprobs?.top[0]).toEqual({ token: asking.tokens[i], logprob: logprobs?.logprob });
    }
    for (const logprobs of bare.logprobs) {
      expect(logprobs?.top).toEqual([]);
      expect(logprobs?.logprob).toBeLessThan(0);
    }
  });

  it('come with the token that ended the answer', async () => {
    const told = await answerOf({ ...ENDING, topLogprobs: VOCABULARY });
    const [stop] = told.stops;
    expect(stop?.token).toBe(SIMULATED_END);
    const probabilities = stop?.logprobs?.top.map(({ logprob }) => Math.exp(logprob)) ?? [];
    expect(probabilities).toHaveLength(VOCABULARY);
    expect(probabilities.reduce((sum, probability) => sum + probability, 0)).toBeCloseTo(1, 5);
  });

  it('are missing from the messages of steps in which nobody asked', async () => {
    const simulation = new Simulation();
    const seen: boolean[] = [];
    const { tokens } = simulation.output;
    simulation.output.tokens = (ids, values, logprobs) => {
      seen.push(logprobs !== undefined);
      tokens.call(simulation.output, ids, values, logprobs);
    };
    simulation.submit({ id: 0, prompt: 5, maxTokens: 4, ignoreEnd: true });
    simulation.submit({ id: 1, prompt: 5, maxTokens: 2, ignoreEnd: true, topLogprobs: 1 });
    await simulation.drain();
    expect(seen).toEqual([true, true, false, false]);
  });
});
