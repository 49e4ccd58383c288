import { afterEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import { GREEDY } from '../support/simulation.ts';
import { compute, empty, openEngine, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny', { cells: 256, batchTokens: 16, sequences: 3, outputs: 2 });

const clock = new VirtualClock();
const simulated = new SimulatedEngine({
  clock,
  vocabularySize: 1024,
  msPerBatch: 0,
  msPerToken: 0,
  msPerGrammar: 0,
  cells: 256,
  batchTokens: 16,
  sequences: 3,
  outputs: 2,
  pageSize: 4,
});

/** Both engines keep the same promises; the library would end the process. */
describe.for(['libllama', 'simulated'] as const)('a batch of the %s engine', (kind) => {
  const engine = (): Engine => (kind === 'libllama' ? tiny.engine : simulated);
  const run = async <T>(work: Promise<T>): Promise<T> => {
    if (kind === 'simulated') await clock.advance(1);
    return work;
  };
  const fill = (count: number, sequence = 0) => {
    engine().batch.clear();
    for (let i = 0; i < count; i++) engine().batch.add(i, i, sequence, i === count - 1);
  };

  afterEach(() => {
    engine().batch.clear();
    empty(engine());
  });

  it('counts its tokens and gives its rows of logits numbers', () => {
    const { batch } = engine();
    batch.clear();
    expect(batch.size).toBe(0);
    expect(batch.add(1, 0, 0, true)).toBe(0);
    expect(batch.add(1, 0, 1, false)).toBe(-1);
    expect(batch.add(1, 0, 2, true)).toBe(1);
    expect(batch.size).toBe(3);
    batch.clear();
    expect(batch.size).toBe(0);
    expect(batch.add(1, 0, 0, true)).toBe(0);
  });

  it('refuses a token outside of the vocabulary', () => {
    for (const token of [-1, 1024, 1.5, Number.NaN, 2 ** 31]) {
      expect(() => engine().batch.add(token, 0, 0, false), String(token)).toThrow(RangeError);
    }
    expect(engine().batch.size).toBe(0);
  });

  it('refuses a sequence outside of the range', () => {
    for (const sequence of [-1, 3, 0.5, Number.NaN, 256]) {
      expect(() => engine().batch.add(1, 0, sequence, false), String(sequence)).toThrow(RangeError);
    }
  });

  it('refuses a hole, a repetition and a gap after what is held', async () => {
    expect(() => engine().batch.add(1, 1, 0, false)).toThrow(RangeError);
    fill(3);
    expect(() => engine().batch.add(1, 2, 0, false)).toThrow(RangeError);
    await run(engine().decode());
    engine().batch.clear();
    for (const position of [0, 2, 4, -1]) {
      expect(() => engine().batch.add(1, position, 0, false), String(position)).toThrow(RangeError);
    }
    engine().batch.add(1, 3, 0, false);
  });

  it('refuses more tokens than it has room for', () => {
    fill(16);
    expect(() => engine().batch.add(1, 0, 1, false)).toThrow('full');
    expect(engine().batch.size).toBe(16);
  });

  it('refuses more rows of logits than were asked for at start', () => {
    const { batch } = engine();
    batch.clear();
    for (let i = 0; i < 2; i++) expect(batch.add(1, i, 0, true)).toBe(i);
    expect(() => batch.add(1, 2, 0, true)).toThrow('more than 2 rows');
    batch.add(1, 2, 0, false);
    expect(batch.size).toBe(3);
    batch.clear();
    expect(batch.add(1, 0, 0, true)).toBe(0);
  });

  it('is not computed when it is empty', async () => {
    await expect(engine().decode()).rejects.toThrow('empty');
  });

  it('is not computed twice at once', async () => {
    fill(8);
    const first = engine().decode();
    await expect(engine().decode()).rejects.toThrow('decoding');
    expect(await run(first)).toBe('done');
    expect(engine().sequenceLength(0)).toBe(8);
  });

  it('cannot be changed, and no sequence cut, while it is computed', async () => {
    fill(8);
    const decode = engine().decode();
    expect(() => engine().truncateSequence(0, 0)).toThrow('decoding');
    expect(() => engine().batch.add(1, 8, 0, false)).toThrow('decoding');
    expect(() => engine().batch.clear()).toThrow('decoding');
    expect(await run(decode)).toBe('done');
    expect(engine().sequenceLength(0)).toBe(8);
  });

  it('finds no room when the cells do not suffice, and nothing changes', async () => {
    for (let at = 0; at < 256; at += 16) {
      engine().batch.clear();
      for (let i = 0; i < 16; i++) engine().batch.add(7, at + i, 0, false);
      expect(await run(engine().decode())).toBe('done');
    }
    expect(engine().cellsInUse).toBe(256);
    fill(1, 1);
    expect(await run(engine().decode())).toBe('no-room');
    expect([engine().sequenceLength(0), engine().sequenceLength(1), engine().cellsInUse]).toEqual([
      256, 0, 256,
    ]);
    engine().truncateSequence(0, 255);
    fill(1, 1);
    expect(await run(engine().decode())).toBe('done');
  });

  it('has logits for the rows of the last decode only', async () => {
    const sampler = engine().createSampler(GREEDY, tokens(1));
    fill(4);
    await run(engine().decode());
    const token = sampler.sample(0);
    for (const row of [-1, 1, 0.5]) expect(() => sampler.sample(row), String(row)).toThrow(RangeError);
    // What is filled in for the next decode has no logits yet, and takes none away.
    engine().batch.clear();
    for (let sequence = 1; sequence < 3; sequence++) engine().batch.add(1, 0, sequence, true);
    expect(() => sampler.sample(1)).toThrow(RangeError);
    expect(sampler.sample(0)).toBe(token);
    sampler.close();
  });
});

describe('a batch', () => {
  it('of an engine with few cells or small batches is computed like any other', async () => {
    for (const limits of [
      { cells: 4, batchTokens: 4 },
      { cells: 300, batchTokens: 3 },
      { cells: 8, batchTokens: 64 },
    ]) {
      const engine = await openEngine('tiny', limits);
      expect(engine.limits.batchTokens).toBeLessThanOrEqual(limits.cells);
      const full = tokens(engine.limits.batchTokens);
      await compute(engine, 0, full);
      expect(engine.cellsInUse).toBe(full.length);
      await engine.close();
    }
  });
});
