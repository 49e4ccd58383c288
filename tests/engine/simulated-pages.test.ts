import { beforeEach, describe, expect, it } from 'vitest';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';

const clock = new VirtualClock();
let engine: SimulatedEngine;
beforeEach(() => {
  const times = { msPerBatch: 1, msPerToken: 0, msPerGrammar: 0 };
  const limits = { cells: 64, batchTokens: 32, sequences: 3 };
  engine = new SimulatedEngine({ clock, vocabularySize: 100, pageSize: 4, ...times, ...limits });
});

async function compute(sequence: number, tokens: number[]): Promise<void> {
  engine.batch.clear();
  const from = engine.sequenceLength(sequence);
  for (const [i, token] of tokens.entries()) engine.batch.add(token, from + i, sequence, false);
  const decode = engine.decode();
  await clock.advance(1);
  expect(await decode).toBe('done');
}

function save(sequence: number, from: number, count: number): Uint8Array[] {
  const pages = Array.from({ length: count }, () => new Uint8Array(engine.pages.bytes));
  engine.pages.save(sequence, from, pages);
  return pages;
}

const ONE_TO_TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

describe('pages of a simulated engine', () => {
  it('come back, are counted, and depend on the tokens only', async () => {
    await compute(0, ONE_TO_TEN);
    const pages = save(0, 0, 2);
    engine.truncateSequence(0, 0);
    expect(engine.pages.restore(2, 0, pages)).toBe('done');
    expect([engine.sequenceLength(2), engine.cellsInUse]).toEqual([8, 8]);
    expect(save(2, 0, 2)).toEqual(pages);
    await compute(1, ONE_TO_TEN);
    expect(save(1, 0, 2)).toEqual(pages);
    expect([engine.pages.saved, engine.pages.restored]).toEqual([6, 2]);
  });

  it('are rejected when they are malformed or of another position', async () => {
    await compute(0, ONE_TO_TEN);
    const [page, second] = save(0, 0, 2);
    const cut = page!.slice(1);
    const otherMagic = page!.slice().fill(0, 0, 1);
    for (const wrong of [cut, otherMagic, second!]) {
      expect(engine.pages.restore(1, 0, [wrong])).toBe('rejected');
    }
    expect(engine.pages.restore(1, 0, [page!, page!])).toBe('rejected');
    expect([engine.sequenceLength(1), engine.pages.restored]).toEqual([0, 0]);
  });

  it('that would give wrong tokens are found out, with their place', async () => {
    await compute(0, ONE_TO_TEN);
    const [page, second] = save(0, 0, 2);
    await compute(1, [1, 2, 3, 5]);
    expect(() => engine.pages.restore(1, 4, [second!])).toThrow('sequence 1: position 4 does not continue');
    const otherToken = page!.slice();
    otherToken[8 + 12 * 2 + 7]! ^= 1;
    expect(() => engine.pages.restore(2, 0, [otherToken])).toThrow('sequence 2: position 2 does not');
    expect([engine.sequenceLength(1), engine.sequenceLength(2)]).toEqual([4, 0]);
  });

  it('find no room like computed tokens', async () => {
    await compute(0, ONE_TO_TEN);
    const pages = save(0, 0, 2);
    await compute(1, Array(32).fill(7));
    await compute(1, Array(15).fill(7));
    expect(engine.pages.restore(2, 0, pages)).toBe('no-room');
    engine.truncateSequence(1, 46);
    expect(engine.pages.restore(2, 0, pages)).toBe('done');
    expect(engine.cellsInUse).toBe(64);
  });

  it('are refused where the caller is wrong', async () => {
    await compute(0, ONE_TO_TEN);
    expect(() => save(0, 4, 2)).toThrow('holds 10 positions, not 12');
    expect(() => save(0, -1, 1)).toThrow('no position -1');
    expect(() => engine.pages.save(0, 0, [new Uint8Array(3)])).toThrow('not 3');
    expect(() => engine.pages.restore(0, 8, save(0, 0, 1))).toThrow('holds 10 positions, not 8');
  });
});

describe('a prefix that simulated sequences share', () => {
  it('counts once, and both go on from it', async () => {
    await compute(0, ONE_TO_TEN);
    engine.sharePrefix(0, 1, 8);
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([8, 10]);
    await compute(1, [9, 10]);
    expect(save(1, 4, 1)).toEqual(save(0, 4, 1));
    expect(save(1, 6, 1)).toEqual(save(0, 6, 1));
    engine.truncateSequence(0, 0);
    expect(engine.cellsInUse).toBe(10);
  });

  it('may take the place of the same tokens, not of others', async () => {
    await compute(0, ONE_TO_TEN);
    await compute(1, ONE_TO_TEN);
    engine.sharePrefix(0, 1, 6);
    expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([10, 14]);
    await compute(2, [1, 2, 9, 4, 5]);
    expect(() => engine.sharePrefix(0, 2, 3)).toThrow('sequence 2: position 3 does not continue');
    expect(() => engine.sharePrefix(0, 0, 3)).toThrow('with itself');
  });
});
