import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Request } from '../../src/scheduler/request.ts';
import { planStep } from '../../src/scheduler/step-plan.ts';
import { spec } from '../support/simulation.ts';

const BUDGET = {
  batchTokens: 64,
  chunkedPrefillSize: 16,
  maxPrefillTokens: 32,
  mixedChunk: true,
  answersNext: false,
  freeCells: 1000,
};

let arrivals = 0;
function prefilling(left: number): Request {
  arrivals++;
  return new Request(spec({ id: arrivals, prompt: left }), arrivals, 4);
}

function decoding(): Request {
  const request = prefilling(5);
  request.prefix.append(1);
  request.computed = 5;
  return request;
}

function planned(running: Request[], budget: Partial<typeof BUDGET> = {}): number[] {
  const plan = planStep(running, { ...BUDGET, ...budget });
  return running.map((request) => plan.find((work) => work.request === request)?.tokens ?? 0);
}

describe('a step', () => {
  it('computes one token of every decoding request and a chunk beside them', () => {
    expect(planned([decoding(), prefilling(100), decoding()])).toEqual([1, 16, 1]);
  });

  it('computes a larger chunk when nothing decodes', () => {
    expect(planned([prefilling(100)])).toEqual([32]);
  });

  it('gives half of the budget to the first prompt and the rest to the shortest', () => {
    expect(planned([prefilling(100), prefilling(50), prefilling(10)])).toEqual([16, 6, 10]);
    expect(planned([prefilling(100), prefilling(50), prefilling(10), decoding()])).toEqual([8, 0, 8, 1]);
  });

  it('leaves no remainder of the only prompt that is small beside the chunk', () => {
    expect(planned([prefilling(36)])).toEqual([36]);
    expect(planned([prefilling(37)])).toEqual([32]);
    expect(planned([prefilling(18), decoding()])).toEqual([18, 1]);
    expect(planned([prefilling(36), prefilling(36)])).toEqual([32, 0]);
    expect(planned([prefilling(36)], { freeCells: 34 })).toEqual([34]);
  });

  it('serves equal prompts in order of arrival', () => {
    expect(planned([prefilling(40), prefilling(40), prefilling(40)])).toEqual([32, 0, 0]);
    expect(planned([prefilling(20), prefilling(20), prefilling(20)])).toEqual([20, 12, 0]);
  });

  it('gives what the first prompt does not need to the others', () => {
    expect(planned([prefilling(3), prefilling(100)])).toEqual([3, 29]);
  });

  it('always advances the first prompt, also with a budget of one token', () => {
    expect(planned([prefilling(100), prefilling(2)], { maxPrefillTokens: 1 })).toEqual([1, 0]);
  });

  it('is empty when the cells do not suffice for the decodes', () => {
    expect(planned([decoding(), decoding()], { freeCells: 1 })).toEqual([0, 0]);
  });

  it('leaves prompts out when decodes take the last cells', () => {
    expect(planned([decoding(), prefilling(9)], { freeCells: 1 })).toEqual([1, 0]);
    expect(planned([decoding(), prefilling(9)], { freeCells: 4 })).toEqual([1, 3]);
  });

  it('computes prompts and answers in turn where they are not mixed', () => {
    const apart = { mixedChunk: false };
    const running = [decoding(), prefilling(100), decoding()];
    expect(planned(running, apart)).toEqual([0, 16, 0]);
    expect(planned(running, { ...apart, answersNext: true })).toEqual([1, 0, 1]);
    expect(planned([decoding()], apart)).toEqual([1]);
    expect(planned([prefilling(100)], { ...apart, answersNext: true })).toEqual([32]);
    // Nothing stands still for want of cells.
    expect(planned([decoding(), prefilling(9)], { ...apart, freeCells: 1 })).toEqual([1, 0]);
  });

  it('never exceeds a budget, never gives more than is left, and always advances something', () => {
    const request = fc.oneof(
      fc.integer({ min: 1, max: 90 }).map((left) => () => prefilling(left)),
      fc.constant(() => decoding()),
    );
    const budget = fc.record({
      batchTokens: fc.integer({ min: 12, max: 64 }),
      chunkedPrefillSize: fc.integer({ min: 1, max: 40 }),
      maxPrefillTokens: fc.integer({ min: 1, max: 80 }),
      mixedChunk: fc.boolean(),
      answersNext: fc.boolean(),
      freeCells: fc.integer({ min: 12, max: 80 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 11 }), budget, (makers, limits) => {
        const running = makers.map((make) => make());
        const plan = planStep(running, limits);
        const decodes = plan.filter(({ request: { decoding } }) => decoding);
        const prompts = plan.filter(({ request: { decoding } }) => !decoding);
        const sum = (of: typeof plan) => of.reduce((total, { tokens }) => total + tokens, 0);
        const answers = running.filter(({ decoding }) => decoding);
        if (limits.mixedChunk || decodes.length > 0)
          expect(decodes.map(({ request }) => request)).toEqual(answers);
        expect(plan.length).toBeGreaterThan(0);
        expect(sum(decodes)).toBe(decodes.length);
        expect(sum(plan)).toBeLessThanOrEqual(Math.min(limits.batchTokens, limits.freeCells));
        const chunk = answers.length > 0 ? limits.chunkedPrefillSize : limits.maxPrefillTokens;
        const waiting = running.filter(({ decoding }) => !decoding);
        const [only] = waiting.length === 1 ? waiting : [];
        const comesAlong = only !== undefined && only.uncomputed <= chunk * 1.125;
        const most = comesAlong ? Math.max(chunk, only.uncomputed) : chunk;
        expect(sum(prompts)).toBeLessThanOrEqual(most);
        for (const { request, tokens } of prompts) {
          expect(tokens).toBeGreaterThan(0);
          expect(tokens).toBeLessThanOrEqual(request.uncomputed);
        }
        expect(new Set(plan.map(({ request }) => request)).size).toBe(plan.length);
        // All of the budget is used while there is something to compute.
        const left = running.reduce(
          (total, { decoding, uncomputed }) => total + (decoding ? 0 : uncomputed),
          0,
        );
        const room = Math.min(most, limits.batchTokens - answers.length, limits.freeCells - answers.length);
        if (!limits.mixedChunk && limits.answersNext && decodes.length > 0) expect(prompts).toEqual([]);
        else expect(sum(prompts)).toBe(Math.min(left, room));
      }),
      { numRuns: 500 },
    );
  });
});
