import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { DecodeOutcome, Engine } from '../../src/engine/engine.ts';
import { GREEDY } from '../support/simulation.ts';
import { add, compute, empty, openEngine, sampled, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny', { batchTokens: 512 });
afterEach(() => {
  tiny.engine.batch.clear();
  empty(tiny.engine);
});

const PROMPT = tokens(200);
const COUNT = 24;

/** Continues a sequence that holds its prompt, whose last logits are row 0. */
async function continued(engine: Engine, sequence: number, prompt: Int32Array): Promise<number[]> {
  const sampler = engine.createSampler({ ...GREEDY, maxTokens: COUNT }, prompt);
  const answer = [sampler.sample(0)];
  while (answer.length < COUNT) {
    await compute(engine, sequence, [answer.at(-1)!]);
    answer.push(sampler.sample(0));
  }
  sampler.close();
  return answer;
}

describe('a greedy answer is the same', () => {
  it('whether its prompt was computed at once or in chunks', async () => {
    const { engine } = tiny;
    const whole = await sampled(engine, PROMPT, COUNT);
    for (const chunk of [1, 7, 64, 199]) {
      empty(engine);
      for (let at = 0; at < PROMPT.length; at += chunk) {
        await compute(engine, 0, PROMPT.subarray(at, at + chunk));
      }
      expect(await continued(engine, 0, PROMPT), `chunks of ${chunk}`).toEqual(whole);
    }
  });

  it('whichever sequence it is in, and whatever the others hold', async () => {
    const { engine } = tiny;
    const alone = await sampled(engine, PROMPT, COUNT);
    await compute(engine, 0, tokens(300, 2));
    await compute(engine, 2, tokens(50, 3));
    await compute(engine, 3, PROMPT);
    expect(await continued(engine, 3, PROMPT)).toEqual(alone);
  });

  it('when it is computed in the same batches as others', async () => {
    const { engine } = tiny;
    const prompts = [PROMPT, tokens(33, 5), tokens(100, 6), tokens(1, 7)];
    const alone: number[][] = [];
    for (const prompt of prompts) alone.push(await sampled(engine, prompt, COUNT));

    engine.batch.clear();
    let rows = prompts.map((prompt, sequence) => add(engine, sequence, prompt));
    expect(await engine.decode()).toBe('done');
    const samplers = prompts.map((prompt) => engine.createSampler(GREEDY, prompt));
    const answers = rows.map((row, i) => [samplers[i]!.sample(row)]);
    while (answers[0]!.length < COUNT) {
      engine.batch.clear();
      // In another order every time.
      const order = [0, 1, 2, 3].map((i) => (i + answers[0]!.length) % 4);
      rows = [];
      for (const i of order) rows[i] = add(engine, i, answers[i]!.slice(-1));
      await engine.decode();
      answers.forEach((answer, i) => {
        answer.push(samplers[i]!.sample(rows[i]!));
      });
    }
    for (const sampler of samplers) sampler.close();
    expect(answers).toEqual(alone);
  });

  it('after a sequence was cut and its end was computed again', async () => {
    const { engine } = tiny;
    const whole = await sampled(engine, PROMPT, COUNT);
    await compute(engine, 1, [...PROMPT.subarray(0, 120), ...tokens(100, 9)]);
    engine.truncateSequence(1, 120);
    expect(engine.cellsInUse).toBe(120);
    await compute(engine, 1, PROMPT.subarray(120));
    expect(await continued(engine, 1, PROMPT)).toEqual(whole);
  });

  it('with quantised KV, when it is computed again', async () => {
    for (const kvCacheType of ['q8_0', 'q4_0'] as const) {
      const engine = await openEngine('tiny-qwen2', { kvCacheType, batchTokens: 256 });
      const first = await sampled(engine, PROMPT, COUNT);
      expect(await sampled(engine, PROMPT, COUNT)).toEqual(first);
      await engine.close();
    }
  });
});

describe('a decode that is aborted', () => {
  it('leaves every sequence as it was, whenever the abort comes', async () => {
    const engine = await openEngine('tiny-qwen2', { batchTokens: 2048, cells: 4096 });
    const [next, ...rest] = tokens(5, 4);
    const alone = await sampled(engine, Int32Array.of(...PROMPT, next!, ...rest), COUNT);
    // Four micro-batches of 512 tokens.
    const start = (): Promise<DecodeOutcome> => {
      engine.batch.clear();
      add(engine, 0, tokens(1900, 11));
      add(engine, 1, tokens(100, 12));
      return engine.decode();
    };
    await compute(engine, 0, PROMPT);
    const began = performance.now();
    expect(await start()).toBe('done');
    const whole = performance.now() - began;
    const outcomes = new Set<string>();
    for (const share of [0, 0.1, 0.4, 0.6, 0.8]) {
      empty(engine);
      await compute(engine, 0, PROMPT);
      const decode = start();
      if (share > 0) await sleep(share * whole);
      engine.abortDecode();
      const outcome = await decode;
      outcomes.add(outcome);
      const lengths = [0, 1].map((sequence) => engine.sequenceLength(sequence));
      expect(lengths).toEqual(outcome === 'aborted' ? [200, 0] : [2100, 100]);
      if (outcome !== 'aborted') continue;
      const sampler = engine.createSampler(GREEDY, PROMPT);
      expect(() => sampler.sample(0)).toThrow(RangeError);
      sampler.close();
      // What was computed of the batch is gone: the sequence goes on from what it held.
      await compute(engine, 0, [next!, ...rest]);
      expect(await continued(engine, 0, PROMPT)).toEqual(alone);
    }
    expect(outcomes).toContain('aborted');
    await engine.close();
  });

  it('is the running one only', async () => {
    const { engine } = tiny;
    engine.abortDecode();
    await compute(engine, 0, PROMPT);
    engine.abortDecode();
    expect(await continued(engine, 0, PROMPT)).toHaveLength(COUNT);
  });

  it('starts a recurrent sequence again, which cannot go back', async () => {
    const engine = await openEngine('recurrent', { batchTokens: 1024, cells: 2048 });
    const alone = await sampled(engine, PROMPT, COUNT);
    await compute(engine, 0, tokens(10, 3));
    engine.batch.clear();
    add(engine, 0, tokens(900, 11));
    const decode = engine.decode();
    engine.abortDecode();
    expect(await decode).toBe('aborted');
    expect([0, 10]).toContain(engine.sequenceLength(0));
    engine.truncateSequence(0, 0);
    expect(await sampled(engine, PROMPT, COUNT)).toEqual(alone);
    await engine.close();
  });
});

describe('an engine', () => {
  it('can be closed while it decodes, and twice', async () => {
    const engine = await openEngine('tiny', { batchTokens: 1024 });
    engine.batch.clear();
    add(engine, 0, tokens(900));
    const decode = engine.decode();
    await Promise.all([engine.close(), engine.close()]);
    expect(await decode).toBe('aborted');
  });

  it('keeps a sequence that cannot be cut as it is', async () => {
    const engine = await openEngine('recurrent');
    await compute(engine, 0, tokens(10));
    expect(() => engine.truncateSequence(0, 5)).toThrow('cannot be cut');
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([10, 10]);
    await compute(engine, 0, tokens(5));
    expect(engine.sequenceLength(0)).toBe(15);
    await engine.close();
  });
});
