import { afterEach, describe, expect, it } from 'vitest';
import {
  compute,
  continuation,
  distribution,
  empty,
  openEngine,
  savePages,
  tokens,
  useModel,
} from '../support/tiny-engine.ts';

const tiny = useModel('tiny');
afterEach(() => {
  tiny.engine.batch.clear();
  empty(tiny.engine);
});

const PROMPT = tokens(80);

describe('a shared prefix', () => {
  it('gives the logits that it gives alone, and counts once', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    const alone = [await continuation(engine, 0, 7), await continuation(engine, 0, 11)];
    empty(engine);

    await compute(engine, 0, PROMPT);
    for (const sequence of [1, 2]) engine.sharePrefix(0, sequence, 80);
    expect([1, 2].map((sequence) => engine.sequenceLength(sequence))).toEqual([80, 80]);
    expect(engine.cellsInUse).toBe(80);
    const first = await continuation(engine, 1, 7);
    expect(first).toEqual(alone[0]);
    engine.truncateSequence(0, 0);
    engine.sharePrefix(1, 0, 88);
    expect(engine.cellsInUse).toBe(88);
    expect(await continuation(engine, 0, 11)).toEqual(alone[1]);
    expect(engine.cellsInUse).toBe(96);
  });

  it('may be a part of what the source holds', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT.subarray(0, 33));
    const alone = await continuation(engine, 0, 5);
    empty(engine);
    await compute(engine, 0, PROMPT);
    engine.sharePrefix(0, 3, 33);
    expect(await continuation(engine, 3, 5)).toEqual(alone);
    expect([engine.sequenceLength(0), engine.sequenceLength(3), engine.cellsInUse]).toEqual([80, 41, 88]);
  });

  it('stays with one sequence when another that had it is cut or emptied', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    const alone = await continuation(engine, 0, 3);
    for (const length of [0, 1, 40, 79]) {
      empty(engine);
      await compute(engine, 0, PROMPT);
      engine.sharePrefix(0, 1, 80);
      engine.truncateSequence(0, length);
      expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([80, 80]);
      // What is computed in place of the cut end has cells of its own.
      await compute(engine, 0, tokens(80 - length, 9));
      expect(engine.cellsInUse).toBe(160 - length);
      expect(await continuation(engine, 1, 3)).toEqual(alone);
    }
  });

  it('takes the place of what the target had computed there, and its end stays', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    await compute(engine, 1, PROMPT);
    await continuation(engine, 1, 6, 4);
    const [before] = savePages(engine, 1, 0, 1);
    const expected = (await continuation(engine, 1, 1)).map(({ token }) => token);
    engine.truncateSequence(1, 84);
    expect(engine.cellsInUse).toBe(164);
    engine.sharePrefix(0, 1, 80);
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([84, 84]);
    expect(savePages(engine, 1, 0, 1)).toEqual([before]);
    // The new cells come before the others now: the sums are rounded differently.
    expect((await continuation(engine, 1, 1)).map(({ token }) => token)).toEqual(expected);
    engine.truncateSequence(1, 0);
    expect(engine.cellsInUse).toBe(80);
  });

  it('replaces another beginning in a sequence that holds no more than that', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    const alone = await continuation(engine, 0, 3);
    engine.truncateSequence(0, 80);
    await compute(engine, 1, tokens(50, 4));
    engine.sharePrefix(0, 1, 80);
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([80, 80]);
    expect(await continuation(engine, 1, 3)).toEqual(alone);
  });

  it('can be computed upon by many in one batch', async () => {
    const { engine } = tiny;
    const alone = [];
    for (const token of [1, 2, 3]) {
      await compute(engine, 0, [...PROMPT, token]);
      alone.push(distribution(engine).token);
      empty(engine);
    }
    await compute(engine, 0, PROMPT);
    for (const sequence of [1, 2, 3]) engine.sharePrefix(0, sequence, 80);
    engine.batch.clear();
    const rows = [1, 2, 3].map((token) => engine.batch.add(token, 80, token, true));
    expect(await engine.decode()).toBe('done');
    expect(rows.map((row) => distribution(engine, row).token)).toEqual(alone);
    expect(engine.cellsInUse).toBe(83);
  });

  it('is refused where there is none', async () => {
    const { engine } = tiny;
    await compute(engine, 0, PROMPT);
    for (const length of [-1, 81, 0.5, Number.NaN]) {
      expect(() => engine.sharePrefix(0, 1, length)).toThrow(RangeError);
    }
    expect(() => engine.sharePrefix(0, 0, 4)).toThrow('with itself');
    // The id behind the last one is the library's scratch sequence.
    expect(() => engine.sharePrefix(0, 4, 4)).toThrow('no sequence 4');
    expect(() => engine.sharePrefix(4, 0, 0)).toThrow('no sequence 4');
    expect([engine.sequenceLength(0), engine.sequenceLength(1), engine.cellsInUse]).toEqual([80, 0, 80]);
    engine.batch.clear();
    engine.batch.add(1, 80, 0, false);
    const decode = engine.decode();
    expect(() => engine.sharePrefix(0, 1, 4)).toThrow('decoding');
    await decode;
  });
});

it('a model whose KV is no row per position shares nothing, and says why', async () => {
  for (const name of ['recurrent', 'swa', 'mrope'] as const) {
    const engine = await openEngine(name);
    expect(engine.pages).toBeUndefined();
    await compute(engine, 0, PROMPT);
    expect(() => engine.sharePrefix(0, 1, 40)).toThrow("the model's KV cannot be shared");
    expect([engine.sequenceLength(0), engine.sequenceLength(1)]).toEqual([80, 0]);
    await engine.close();
  }
});
