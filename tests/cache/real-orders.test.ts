import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CacheOptions } from '../../src/cache/create-cache.ts';
import { EVICTION_POLICIES } from '../../src/cache/eviction.ts';
import { DEFAULT_PREFETCH, PREFETCH_POLICIES } from '../../src/cache/prefetch-policy.ts';
import { WRITE_POLICIES } from '../../src/cache/write-policy.ts';
import { temporaryFolder } from '../storage/support/folders.ts';
import { type Answer, RealCache } from '../support/real-cache.ts';
import { savePages, useModel } from '../support/tiny-engine.ts';
import { asked, certain, ENGINE, PAGE, PROMPTS, playOrder, rightAnswers } from './support/orders.ts';

const model = useModel('tiny', ENGINE);

let folder: string;
let expected: Answer[];
beforeAll(async () => {
  folder = await temporaryFolder();
  expected = await rightAnswers(model.engine);
});

it('the prompts have answers that rounding does not decide', () => {
  expect(expected.reduce((sum, answer) => sum + certain(answer), 0)).toBeGreaterThan(90);
});

it('pages come out of L3 byte for byte as they went into it', async () => {
  const place = path.join(folder, 'bytes');
  const prompt = asked(PROMPTS[4]!, 0);
  const pages = Math.floor(prompt.prompt.length / PAGE);
  const lives: string[][] = [];
  for (const storage of [0, pages * PAGE]) {
    const cache = new RealCache(model.engine, { hostPages: 100 });
    await cache.attach(place);
    expect((await cache.answer(prompt)).cached).toEqual({ device: 0, host: 0, storage });
    const holder = Array.from({ length: ENGINE.sequences }, (_, i) => i).find(
      (sequence) => model.engine.sequenceLength(sequence) > 0,
    );
    const bytes = savePages(model.engine, holder!, 0, pages);
    lives.push(bytes.map((page) => Buffer.from(page).toString('base64')));
    await cache.stop();
  }
  expect(lives[1]).toEqual(lives[0]);
});

const TIERS: [string, Partial<CacheOptions>, boolean][] = [
  ['L1', {}, false],
  ['L1 and three pages of L2', { hostPages: 3 }, false],
  ['L1 and an L2 that is too small', { hostPages: 24 }, false],
  ['L1 and an L2 for everything', { hostPages: 400 }, false],
  ['L1, an L2 that is too small, and L3', { hostPages: 24 }, true],
  ['L1, an L2 for everything, and L3', { hostPages: 400 }, true],
];
const KEPT = [0, 3 * PAGE + 1, Number.POSITIVE_INFINITY];

describe.each(TIERS)('greedy answers with %s', (name, tiers, storage) => {
  it.each(WRITE_POLICIES)('and %s are those without a cache, in every order', async (writePolicy) => {
    const row = TIERS.findIndex((tier) => tier[0] === name) * WRITE_POLICIES.length;
    for (const [kept, unusedDeviceTokens] of KEPT.entries()) {
      const seed = (row + WRITE_POLICIES.indexOf(writePolicy)) * KEPT.length + kept;
      const evictionPolicy = EVICTION_POLICIES[seed % EVICTION_POLICIES.length]!;
      const policy = PREFETCH_POLICIES[seed % PREFETCH_POLICIES.length]!;
      const prefetch = { ...DEFAULT_PREFETCH, policy, threshold: 1 + (seed % 20) };
      const cache = { ...tiers, writePolicy, unusedDeviceTokens, evictionPolicy, prefetch };
      const place = storage ? path.join(folder, String(seed)) : undefined;
      await playOrder(model.engine, { cache }, seed, expected, place);
    }
  });
});
