import { expect } from 'vitest';
import type { CacheOptions } from '../../../src/cache/create-cache.ts';
import { EVICTION_POLICIES } from '../../../src/cache/eviction.ts';
import { DEFAULT_PREFETCH, PREFETCH_POLICIES } from '../../../src/cache/prefetch-policy.ts';
import { WRITE_POLICIES } from '../../../src/cache/write-policy.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import type { SchedulerLimits } from '../../../src/shared/messages.ts';
import { randomFrom } from '../../structured-output/random.ts';
import { type Answer, RealCache } from '../../support/real-cache.ts';
import { NEARLY_TIED } from '../../support/server.ts';
import { GREEDY } from '../../support/simulation.ts';
import { tokens } from '../../support/tiny-engine.ts';

export const PAGE = 8;
/** An engine in which there is never room for all prompts. */
export const ENGINE = { cells: 256, batchTokens: 64, sequences: 8, outputs: 4, pageSize: PAGE };
const ANSWER = 10;

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
export const PROMPTS: Prompt[] = [
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

export function asked({ tokens: prompt, seed }: Prompt, id: number) {
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
export function certain({ logprobs }: Answer): number {
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

/** What is answered without a cache. */
export async function rightAnswers(engine: Engine): Promise<Answer[]> {
  const off = new RealCache(engine, { radixCache: false });
  const answers = [];
  for (const [i, prompt] of PROMPTS.entries()) answers.push(await off.answer(asked(prompt, i)));
  await off.stop();
  return answers;
}

/** Every prompt twice, some aborted, several at a time, in an order that the seed decides. */
async function expectRightAnswers(
  cache: RealCache,
  seed: number,
  expected: readonly Answer[],
): Promise<void> {
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

interface Settings {
  cache: Partial<CacheOptions>;
  limits?: Partial<SchedulerLimits>;
}

/** Any settings that are allowed. */
export function randomSettings(seed: number): Settings {
  const random = randomFrom(seed);
  const pick = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)]!;
  const prefetch = {
    ...DEFAULT_PREFETCH,
    policy: pick(PREFETCH_POLICIES),
    threshold: 1 + Math.floor(random() * 40),
    timeoutBase: pick([0, 0.001, 0.02, 2]),
  };
  return {
    cache: {
      hostPages: pick([0, 1, 3, 7, 12, 24, 60, 400]),
      writePolicy: pick(WRITE_POLICIES),
      unusedDeviceTokens: pick([0, 1, PAGE, 25, 100, Number.POSITIVE_INFINITY]),
      evictionPolicy: pick(EVICTION_POLICIES),
      prefetch,
    },
    limits: {
      maxRunningRequests: pick([1, 2, 4]),
      chunkedPrefillSize: pick([8, 32]),
      mixedChunk: pick([true, false]),
      maxPrefillTokens: pick([16, 48, 64]),
    },
  };
}

/** Plays an order with these settings; with a folder twice, where the second life finds what the first one stored. */
export async function playOrder(
  engine: Engine,
  { cache: options, limits }: Settings,
  seed: number,
  expected: readonly Answer[],
  folder: string | undefined,
): Promise<void> {
  for (const life of folder === undefined ? [0] : [0, 1]) {
    const cache = new RealCache(engine, options, limits);
    if (folder !== undefined) await cache.attach(folder);
    await expectRightAnswers(cache, seed + 1_000_000 * life, expected);
    await cache.stop();
    expect(cache.rejected).toEqual([]);
  }
}
