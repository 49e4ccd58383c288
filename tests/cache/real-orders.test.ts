import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CacheOptions } from '../../src/cache/create-cache.ts';
import { EVICTION_POLICIES } from '../../src/cache/eviction.ts';
import { DEFAULT_PREFETCH, PREFETCH_POLICIES } from '../../src/cache/prefetch-policy.ts';
import { WRITE_POLICIES } from '../../src/cache/write-policy.ts';
import { temporaryFolder } from '../storage/support/folders.ts';
import { randomFrom } from '../structured-output/random.ts';
import { type Answer, RealCache } from '../support/real-cache.ts';
import { NEARLY_TIED } from '../support/server.ts';
import { GREEDY } from '../support/simulation.ts';
import { savePages, tokens, useModel } from '../support/tiny-engine.ts';

const PAGE = 8;
const CELLS = 256;
const ANSWER = 10;

const model = useModel('tiny', { cells: CELLS, batchTokens: 64, sequences: 8, outputs: 4, pageSize: PAGE });

interface Prompt {
  tokens: Int32Array;
  /** The namespace. */
  seed: string;
}

const [ROOT, OTHER] = [tokens(64, 1), tokens(70, 2)];
const SALT = 'ab'.repeat(32);

function joined(...parts: Int32Array[]): Int32Array {
  return Int32Array.from(parts.flatMap((part) => [...part]));
}

/** Equal ones, prefixes of others, branches at and beside borders of pages, two namespaces. */
const PROMPTS: Prompt[] = [
  ROOT,
  ROOT.slice(0, 40),
  ROOT.slice(0, 41),
  ROOT.slice(0, 39),
  joined(ROOT, tokens(86, 3)),
  joined(ROOT, tokens(30, 3)),
  joined(ROOT, tokens(30, 4)),
  joined(ROOT.slice(0, 32), tokens(20, 5)),
  joined(ROOT.slice(0, 35), tokens(60, 5)),
  joined(ROOT.slice(0, 35), tokens(20, 6)),
  OTHER,
  joined(OTHER, tokens(70, 7)),
  joined(OTHER.slice(0, 8), ROOT),
  tokens(20, 8),
  tokens(24, 9),
  tokens(7, 10),
  tokens(1, 11),
]
  .map((prompt) => ({ tokens: prompt, seed: '' }))
  .concat([
    { tokens: ROOT, seed: SALT },
    { tokens: joined(ROOT, tokens(30, 3)), seed: SALT },
    { tokens: OTHER, seed: SALT },
  ]);

let folder: string;
let expected: Answer[];
beforeAll(async () => {
  folder = await temporaryFolder();
  const off = new RealCache(model.engine, { radixCache: false });
  expected = [];
  for (const [i, prompt] of PROMPTS.entries()) expected.push(await off.answer(asked(prompt, i)));
  await off.stop();
});

function asked({ tokens: prompt, seed }: Prompt, id: number) {
  const sampling = { ...GREEDY, maxTokens: ANSWER };
  return {
    id,
    prompt,
    sampling,
    ignoreEndOfGeneration: true,
    prefixSeed: seed,
    priority: id % 3,
    topLogprobs: 2,
  };
}

/** Another order of cells rounds otherwise: what follows two tokens that are nearly tied is not compared. */
function certain({ logprobs }: Answer): number {
  const tied = logprobs.findIndex((each) => each!.top[0]!.logprob - each!.top[1]!.logprob < NEARLY_TIED);
  return tied < 0 ? logprobs.length : tied;
}

function expectSame(answer: Answer, right: Answer, what: string): void {
  const count = certain(right);
  expect(answer.tokens.slice(0, count), what).toEqual(right.tokens.slice(0, count));
  for (const [i, each] of right.logprobs.slice(0, count + 1).entries()) {
    const difference = Math.abs(answer.logprobs[i]!.top[0]!.logprob - each!.top[0]!.logprob);
    expect(difference, `${what}: the logprob of token ${i}`).toBeLessThan(NEARLY_TIED / 2);
  }
}

/** Every prompt twice, some aborted, several at a time, in an order that the seed decides. */
async function expectRightAnswers(cache: RealCache, seed: number): Promise<void> {
  const random = randomFrom(seed);
  const order = [...PROMPTS.keys(), ...PROMPTS.keys()]
    .map((prompt) => ({ prompt, place: random() }))
    .sort((a, b) => a.place - b.place);
  const running = new Set<Promise<void>>();
  let id = 0;
  for (const { prompt } of order) {
    const spec = asked(PROMPTS[prompt]!, id++);
    if (random() < 0.15) {
      void cache.answer(spec);
      for (let turns = random() * 40; turns > 0; turns--) await new Promise(setImmediate);
      cache.abort(spec.id);
      continue;
    }
    const check = cache.answer(spec).then((answer) => {
      const what = `prompt ${prompt} of order ${seed}, ${JSON.stringify(answer.cached)}`;
      expectSame(answer, expected[prompt]!, what);
      running.delete(check);
    });
    running.add(check);
    while (running.size > 1 + random() * 8) await Promise.race(running);
  }
  await Promise.all(running);
}

const TIERS: [string, Partial<CacheOptions>, boolean][] = [
  ['L1', {}, false],
  ['L1 and three pages of L2', { hostPages: 3 }, false],
  ['L1 and an L2 that is too small', { hostPages: 24 }, false],
  ['L1 and an L2 for everything', { hostPages: 400 }, false],
  ['L1, an L2 that is too small, and L3', { hostPages: 24 }, true],
  ['L1, an L2 for everything, and L3', { hostPages: 400 }, true],
];
const KEPT = [0, 3 * PAGE + 1, Number.POSITIVE_INFINITY];

it('the prompts have answers that rounding does not decide', () => {
  expect(expected.reduce((sum, answer) => sum + certain(answer), 0)).toBeGreaterThan(90);
});

it('pages come out of L3 byte for byte as they went into it', async () => {
  const place = path.join(folder, 'bytes');
  const prompt = asked(PROMPTS[4]!, 0);
  const pages = Math.floor(prompt.prompt.length / PAGE);
  const lives: Uint8Array[][] = [];
  for (const storage of [0, pages * PAGE]) {
    const cache = new RealCache(model.engine, { hostPages: 100 });
    await cache.attach(place);
    expect((await cache.answer(prompt)).cached).toEqual({ device: 0, host: 0, storage });
    const { sequences } = model.engine.limits;
    const holder = Array.from({ length: sequences }, (_, i) => i).find(
      (sequence) => model.engine.sequenceLength(sequence) > 0,
    );
    lives.push(savePages(model.engine, holder!, 0, pages));
    await cache.stop();
  }
  expect(lives[1]!.map((page) => Buffer.from(page).toString('base64'))).toEqual(
    lives[0]!.map((page) => Buffer.from(page).toString('base64')),
  );
});

describe.each(TIERS)('greedy answers with %s', (name, tiers, storage) => {
  it.each(WRITE_POLICIES)(
    'and %s are those of a server without a cache, in every order',
    async (writePolicy) => {
      const write = WRITE_POLICIES.indexOf(writePolicy);
      for (const [kept, unusedDeviceTokens] of KEPT.entries()) {
        const seed = TIERS.findIndex((tier) => tier[0] === name) * 9 + write * 3 + kept;
        const evictionPolicy = EVICTION_POLICIES[seed % EVICTION_POLICIES.length]!;
        const policy = PREFETCH_POLICIES[seed % PREFETCH_POLICIES.length]!;
        const prefetch = { ...DEFAULT_PREFETCH, policy, threshold: 1 + (seed % 20) };
        const options = { ...tiers, writePolicy, unusedDeviceTokens, evictionPolicy, prefetch };
        // The second life finds what the first one has stored.
        for (const life of storage ? [0, 1] : [0]) {
          const cache = new RealCache(model.engine, options);
          if (storage) await cache.attach(path.join(folder, String(seed)));
          await expectRightAnswers(cache, seed + 1000 * life);
          await cache.stop();
          expect(cache.rejected).toEqual([]);
        }
      }
    },
  );
});
