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

  describe('where prompts and answers take turns', () => {
    const apart = { mixedChunk: false, batchTokens: 600, chunkedPrefillSize: 256, maxPrefillTokens: 512 };

    it('leaves what stands over whole tiles of prompts to the answers, when it is little', () => {
      const alone = (tokens: number) => planned([prefilling(tokens)], apart)[0];
      expect([64, 65, 72, 73, 257, 264, 265].map(alone)).toEqual([64, 64, 64, 73, 256, 256, 265]);
      expect(planned([prefilling(129), prefilling(129)], apart)).toEqual([129, 127]);
      expect(planned([prefilling(300), prefilling(9)], { ...apart, maxPrefillTokens: 130 })).toEqual([
        119, 9,
      ]);
      expect(planned([prefilling(257)], { ...apart, mixedChunk: true })).toEqual([257]);
    });

    it('computes the last few tokens of prompts with the answers, as far as there are cells', () => {
      const turn = { ...apart, answersNext: true };
      expect(planned([decoding(), prefilling(8), prefilling(9)], turn)).toEqual([1, 8, 0]);
      expect(planned([prefilling(1), prefilling(100)], turn)).toEqual([1, 0]);
      expect(planned([prefilling(1), prefilling(100)], apart)).toEqual([0, 100]);
      expect(planned([prefilling(3), decoding()], apart)).toEqual([3, 1]);
      expect(planned([decoding(), prefilling(8), prefilling(2)], { ...turn, freeCells: 5 })).toEqual([
        1, 4, 0,
      ]);
    });
  });

  it('never exceeds a budget, never gives more than is left, and always advances something', () => {
    const request = fc.oneof(
      fc.integer({ min: 1, max: 150 }).map((left) => () => prefilling(left)),
      fc.constant(() => decoding()),
    );
    const budget = fc.record({
      batchTokens: fc.integer({ min: 12, max: 150 }),
      chunkedPrefillSize: fc.integer({ min: 1, max: 140 }),
      maxPrefillTokens: fc.integer({ min: 1, max: 140 }),
      mixedChunk: fc.boolean(),
      answersNext: fc.boolean(),
      freeCells: fc.integer({ min: 12, max: 160 }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 11 }), budget, (makers, limits) => {
        const running = makers.map((make) => make());
        const plan = planStep(running, limits);
        const sum = (of: typeof plan) => of.reduce((total, { tokens }) => total + tokens, 0);
        expect(plan.length).toBeGreaterThan(0);
        expect(sum(plan)).toBeLessThanOrEqual(Math.min(limits.batchTokens, limits.freeCells));
        for (const { request, tokens } of plan) {
          expect(tokens).toBeGreaterThan(0);
          expect(tokens).toBeLessThanOrEqual(request.uncomputed);
        }
        expect(new Set(plan.map(({ request }) => request)).size).toBe(plan.length);
        const { mixedChunk, answersNext } = limits;
        const few = (request: Request) => request.decoding || (!mixedChunk && request.uncomputed <= 8);
        const decodes = running.filter(({ decoding }) => decoding);
        const prompts = plan.filter(({ request }) => !few(request));
        // One kind or the other, where they are not mixed; never a part of the decodes.
        const turnOfAnswers = plan.some(({ request }) => few(request));
        if (mixedChunk || turnOfAnswers)
          expect(plan.flatMap(({ request }) => (request.decoding ? request : []))).toEqual(decodes);
        if (!mixedChunk && turnOfAnswers) {
          expect(prompts).toEqual([]);
          return;
        }
        if (answersNext && !mixedChunk) expect(running.some(few)).toBe(false);
        const chunk = running.some(few) ? limits.chunkedPrefillSize : limits.maxPrefillTokens;
        const waiting = running.filter((request) => !few(request));
        const [only] = waiting.length === 1 ? waiting : [];
        const comesAlong = only !== undefined && only.uncomputed <= chunk * 1.125;
        const most = comesAlong ? Math.max(chunk, only.uncomputed) : chunk;
        // All of the budget is used while there is something to compute, but for what stands over tiles.
        const left = waiting.reduce((total, { uncomputed }) => total + uncomputed, 0);
        const room = Math.min(limits.batchTokens, limits.freeCells) - decodes.length;
        const all = Math.min(left, most, room);
        const over = all % 64;
        const stands = !mixedChunk && all > 64 && over <= 8;
        expect(sum(prompts)).toBe(stands ? all - over : all);
      }),
      { numRuns: 500 },
    );
  });
});
