import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argmax, logprobsOf } from '../../src/engine/logprobs.ts';
import { GREEDY } from '../support/simulation.ts';
import { compute, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny');

/** Softmax in doubles, without a trick. */
function softmax(logits: Float32Array): number[] {
  const weights = Array.from(logits, (logit) => Math.exp(logit));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

describe('logprobs', () => {
  it('are the logarithms of the softmax, of the likeliest tokens in falling order', () => {
    const logit = fc.float({ min: -30, max: 30, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: 1, maxLength: 40 }),
        fc.nat(),
        fc.nat(50),
        (values, nth, top) => {
          const logits = Float32Array.from(values);
          const expected = softmax(logits);
          const token = nth % logits.length;
          const result = logprobsOf(logits, token, top);
          expect(Math.exp(result.logprob)).toBeCloseTo(expected[token]!, 6);
          const order = [...expected.keys()].toSorted((a, b) => logits[b]! - logits[a]! || a - b);
          expect(result.top.map(({ token }) => token)).toEqual(order.slice(0, top));
          for (const { token, logprob } of result.top) {
            expect(Math.exp(logprob)).toBeCloseTo(expected[token]!, 6);
          }
        },
      ),
    );
  });

  it('are finite for impossible tokens, as JSON wants them', () => {
    const { logprob, top } = logprobsOf(Float32Array.of(1, Number.NEGATIVE_INFINITY, 2), 1, 3);
    expect(logprob).toBe(-9999);
    expect(top.map(({ token }) => token)).toEqual([2, 0, 1]);
    expect(top[2]?.logprob).toBe(-9999);
  });

  it('are right for logits that overflow an exponential', () => {
    const { logprob, top } = logprobsOf(Float32Array.of(1000, 999, -1000), 0, 2);
    expect(logprob).toBeCloseTo(-Math.log(1 + Math.exp(-1)), 6);
    expect(top[1]?.logprob).toBeCloseTo(-1 - Math.log(1 + Math.exp(-1)), 6);
  });

  it("are the model's own, whatever the sampling parameters, and change nothing", async () => {
    const { engine } = tiny;
    const prompt = tokens(20);
    await compute(engine, 0, prompt);
    const plain = engine.createSampler(GREEDY, prompt);
    const biased = engine.createSampler(
      { ...GREEDY, temperature: 2, logitBias: [{ token: 3, bias: 50 }], presencePenalty: 1 },
      prompt,
    );
    const before = plain.logprobs(0, 3, 1024);
    expect(biased.sample(0)).toBe(3);
    expect(biased.logprobs(0, 3, 1024)).toEqual(before);
    expect(before.top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 4);
    expect(before.top.find(({ token }) => token === 3)?.logprob).toBe(before.logprob);
    expect(plain.sample(0)).toBe(before.top[0]?.token);
    plain.close();
    biased.close();
    engine.truncateSequence(0, 0);
  });
});

describe('the largest logit', () => {
  it('is the first one of equals', () => {
    expect(argmax(Float32Array.of(1, 5, 5, 2))).toBe(1);
    expect(argmax(Float32Array.of(Number.NEGATIVE_INFINITY, -3))).toBe(1);
  });
});
