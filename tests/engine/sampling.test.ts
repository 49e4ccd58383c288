import { describe, expect, it } from 'vitest';
import { GREEDY } from '../support/simulation.ts';
import { compute, sampled, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny');
const PROMPT = tokens(40);
const COUNT = 30;
const DRAW = { temperature: 1, seed: 7 };

const draw = (params: Parameters<typeof sampled>[3] = {}, prompt = PROMPT) =>
  sampled(tiny.engine, prompt, COUNT, params);
const endTokens = () =>
  Array.from({ length: tiny.engine.model.vocabularySize }, (_, token) => token).filter((token) =>
    tiny.engine.isEndOfGeneration(token),
  );
const wantEnd = () => endTokens().map((token) => ({ token, bias: 100 }));

describe('drawing', () => {
  it('gives the same tokens for the same seed, and others for another', async () => {
    const first = await draw(DRAW);
    expect(await draw(DRAW)).toEqual(first);
    expect(await draw({ ...DRAW, seed: 8 })).not.toEqual(first);
    expect(await draw()).not.toEqual(first);
  });

  it('takes any seed of 32 bits', async () => {
    // The last one is a seed too: what -1 becomes, and what the library takes for the wish to have another one.
    for (const seed of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      const answer = await draw({ ...DRAW, seed });
      expect(await draw({ ...DRAW, seed })).toEqual(answer);
    }
  });

  it('chooses the likeliest token when nothing else is left to choose from', async () => {
    const greedy = await draw();
    expect(await draw({ ...DRAW, topK: 1 })).toEqual(greedy);
    expect(await draw({ ...DRAW, topP: 1e-9 })).toEqual(greedy);
    expect(await draw({ ...DRAW, minP: 1 })).toEqual(greedy);
    expect(await draw({ ...DRAW, temperature: 1e-4 })).toEqual(greedy);
  });

  it('survives temperatures that are no numbers to a float', async () => {
    for (const temperature of [1e-300, 1e-40, 1e-30, 1e30]) {
      for (const token of await draw({ ...DRAW, temperature })) {
        expect(token).toBeGreaterThanOrEqual(0);
        expect(token).toBeLessThan(1024);
      }
    }
  });

  it('chooses among the likeliest k only', async () => {
    const { engine } = tiny;
    engine.truncateSequence(0, 0);
    await compute(engine, 0, PROMPT);
    const plain = engine.createSampler(GREEDY, PROMPT);
    const likeliest = plain.logprobs(0, 0, 5).top.map(({ token }) => token);
    const seen = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const sampler = engine.createSampler({ ...GREEDY, temperature: 5, topK: 5, seed }, PROMPT);
      seen.add(sampler.sample(0));
      sampler.close();
    }
    expect([...seen].toSorted()).toEqual(likeliest.toSorted());
    plain.close();
    engine.truncateSequence(0, 0);
  });
});

describe('logit bias', () => {
  it('makes a token certain, or impossible', async () => {
    for (const params of [{}, DRAW]) {
      expect(await draw({ ...params, logitBias: [{ token: 5, bias: 100 }] })).toEqual(Array(COUNT).fill(5));
    }
    const [first] = await draw();
    expect(await draw({ logitBias: [{ token: first!, bias: -100 }] })).not.toContain(first);
  });

  it('can name every token', async () => {
    const logitBias = Array.from({ length: 1024 }, (_, token) => ({ token, bias: token === 9 ? 50 : -1 }));
    expect(await draw({ logitBias })).toEqual(Array(COUNT).fill(9));
  });
});

describe('penalties', () => {
  it('for presence and frequency keep an answer from repeating itself, and ignore the prompt', async () => {
    const [first] = await draw();
    const prompt = Int32Array.from([...PROMPT.subarray(0, 30), first!, first!, first!]);
    const [greedy] = await draw({}, prompt);
    for (const penalty of [{ presencePenalty: 100 }, { frequencyPenalty: 100 }]) {
      const answer = await draw(penalty, prompt);
      expect(new Set(answer).size).toBe(COUNT);
      expect(answer[0]).toBe(greedy);
    }
  });

  it('for frequency grow with every occurrence, those for presence do not', async () => {
    const bias = { logitBias: [{ token: 5, bias: 60 }] };
    expect(new Set(await draw({ ...bias, presencePenalty: 2 }))).toEqual(new Set([5]));
    const answer = await draw({ ...bias, frequencyPenalty: 6 });
    expect(answer.slice(0, 5)).toEqual(Array(5).fill(5));
    expect(new Set(answer).size).toBeGreaterThan(1);
  });

  it('for repetition count the prompt', async () => {
    const answer = await draw({ repetitionPenalty: 1e6 });
    expect(new Set(answer).size).toBe(COUNT);
    expect(answer.filter((token) => PROMPT.includes(token))).toEqual([]);
  });
});

describe('the smallest length', () => {
  it('keeps the end away, and stop tokens, until it is reached', async () => {
    const ends = endTokens();
    const first = await draw({ logitBias: wantEnd(), maxTokens: 10 });
    expect(ends).toContain(first[0]);
    for (const params of [{}, DRAW]) {
      const answer = await draw({ ...params, logitBias: wantEnd(), minTokens: 5 });
      expect(answer.slice(0, 5).filter((token) => ends.includes(token))).toEqual([]);
      expect(ends).toContain(answer[5]);
    }
    const logitBias = [{ token: 5, bias: 100 }];
    const answer = await draw({ logitBias, stopTokens: [5], minTokens: 3 });
    expect(answer.indexOf(5)).toBe(3);
  });
});

describe('a sampler', () => {
  it('that was closed is not used, and can be closed again', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    const sampler = engine.createSampler({ ...GREEDY, temperature: 1 }, PROMPT);
    sampler.close();
    sampler.close();
    expect(() => sampler.sample(0)).toThrow('closed');
    engine.truncateSequence(0, 0);
  });
});
