import { expect, it } from 'vitest';
import { GREEDY } from '../support/simulation.ts';
import { compute, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny');

const GRAMMAR = `root ::= [0-9] "${'x'.repeat(10_000)}"`;
const PARAMS = {
  ...GREEDY,
  temperature: 1,
  repetitionPenalty: 1.1,
  presencePenalty: 1,
  maxTokens: 4000,
  topK: 40,
};

it('samplers and grammars that are closed leave no memory behind', async () => {
  const { engine } = tiny;
  const prompt = tokens(100);
  await compute(engine, 0, prompt);
  const use = async (times: number) => {
    for (let i = 0; i < times; i++) {
      const sampler = engine.createSampler(
        { ...PARAMS, seed: i, logitBias: [{ token: i, bias: 1 }] },
        prompt,
        await engine.compileGrammar(GRAMMAR),
      );
      for (let j = 0; j < 3; j++) sampler.sample(0);
      sampler.close();
      (await engine.compileGrammar(GRAMMAR)).close();
      await engine.compileGrammar('root ::= root "a"').catch(() => undefined);
    }
  };
  await use(60);
  const before = process.memoryUsage().rss;
  await use(600);
  const grown = process.memoryUsage().rss - before;
  // 600 samplers take 28 MiB, their grammars more.
  expect(grown).toBeLessThan(15 << 20);
  engine.truncateSequence(0, 0);
});
