import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Fleet } from '../../src/ranks/fleet.ts';
import { type Namespace, namespaceSeed, pageKeys } from '../../src/shared/page-keys.ts';
import { PrefixIndex } from '../../src/tokenizer-manager/prefix-index.ts';
import { PrefixRouter } from '../../src/tokenizer-manager/prefix-router.ts';
import { type Candidate, LeastLoadedRouter, type Router } from '../../src/tokenizer-manager/router.ts';
import { TokenizerManager } from '../../src/tokenizer-manager/tokenizer-manager.ts';
import { GREEDY } from '../support/simulation.ts';
import { vocabularyOf } from '../support/word-vocabulary.ts';

const PAGE = 4;
const PLAIN: Namespace = { extraKey: undefined, cacheSalt: undefined };
const PROMPT = Int32Array.from({ length: 10 * PAGE + 2 }, (_, i) => i);

function ranksWith(...loads: number[]): (Candidate & { load: number; state: Candidate['state'] })[] {
  return loads.map((load, index) => ({ index, load, state: 'ready' }));
}

function prompt(tokens = PROMPT, namespace: Partial<Namespace> = {}) {
  return { tokens, namespace: { ...PLAIN, ...namespace } };
}

/** Indices of the chosen ranks. */
function route(router: Router, ranks: Candidate[], answers = 1, wanted = prompt()): number[] {
  return router.choose(ranks, wanted, answers).map((rank) => rank.index);
}

/** Rank i holds the first `pages[i]` pages of the prompt. */
function holding(
  pages: number[],
  namespace: Namespace = PLAIN,
): { index: PrefixIndex; router: PrefixRouter } {
  const index = new PrefixIndex();
  const keys = pageKeys(namespaceSeed(namespace), PROMPT, PAGE);
  for (const [rank, count] of pages.entries()) index.stored(rank, keys.slice(0, count));
  return { index, router: new PrefixRouter(index, PAGE) };
}

const ROUTERS: [string, () => Router][] = [
  ['least loaded', () => new LeastLoadedRouter()],
  ['by prefix', () => new PrefixRouter(new PrefixIndex(), PAGE)],
];

describe.each(ROUTERS)('a router (%s) that knows of no prefix', (_, make) => {
  it('gives a prompt to the rank with the fewest requests', () => {
    const router = make();
    expect(route(router, ranksWith(3, 1, 2))).toEqual([1]);
    expect(route(router, ranksWith(0, 1, 2))).toEqual([0]);
  });

  it('gives equals their turns', () => {
    const router = make();
    const turns = Array.from({ length: 6 }, () => route(router, ranksWith(0, 0, 0)));
    expect(turns.flat()).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('gives nothing to a rank that is not ready', () => {
    const router = make();
    const ranks = ranksWith(0, 0, 5);
    ranks[0]!.state = 'down';
    ranks[1]!.state = 'starting';
    expect(route(router, ranks, 3)).toEqual([2, 2, 2]);
    ranks[2]!.state = 'stopped';
    expect(route(router, ranks)).toEqual([]);
    expect(route(router, [])).toEqual([]);
  });

  it('changes nothing about the ranks', () => {
    const ranks = ranksWith(1, 2);
    route(make(), ranks, 7);
    expect(ranks).toEqual(ranksWith(1, 2));
  });
});

describe('the least loaded router', () => {
  it('spreads the answers to one prompt', () => {
    expect(route(new LeastLoadedRouter(), ranksWith(0, 3, 0), 5)).toEqual([0, 2, 0, 2, 0]);
  });
});

describe('the router by prefix', () => {
  it('gives a prompt to the rank that holds the longest prefix of it', () => {
    expect(route(holding([3, 9, 6]).router, ranksWith(0, 0, 0))).toEqual([1]);
    expect(route(holding([3, 9, 6]).router, ranksWith(0, 4, 0))).toEqual([1]);
  });

  it('gives it to the least loaded of those that hold the same', () => {
    expect(route(holding([9, 9, 9]).router, ranksWith(2, 1, 3))).toEqual([1]);
    const { router } = holding([0, 9, 9]);
    const turns = Array.from({ length: 4 }, () => route(router, ranksWith(0, 0, 0)));
    expect(turns.flat()).toEqual([1, 2, 1, 2]);
  });

  it('passes over a rank that is too busy, for the next best one', () => {
    expect(route(holding([0, 10, 0]).router, ranksWith(0, 5, 0))).toEqual([0]);
    expect(route(holding([0, 10, 6]).router, ranksWith(0, 5, 3))).toEqual([2]);
  });

  it('takes many requests for too many only when they are so in proportion', () => {
    expect(route(holding([0, 10]).router, ranksWith(20, 30))).toEqual([1]);
    expect(route(holding([0, 10]).router, ranksWith(20, 31))).toEqual([0]);
  });

  it('gives a busier rank nothing for a small part of a prompt, an equally busy one does get it', () => {
    expect(route(holding([0, 2]).router, ranksWith(0, 1))).toEqual([0]);
    expect(route(holding([0, 3]).router, ranksWith(0, 1))).toEqual([1]);
    expect(route(holding([0, 1]).router, ranksWith(1, 1))).toEqual([1]);
    // What counts is what it holds beyond what the idlest one holds.
    expect(route(holding([8, 10]).router, ranksWith(0, 1))).toEqual([0]);
    expect(route(holding([7, 10]).router, ranksWith(0, 1))).toEqual([1]);
  });

  it('is not led by a page that a rank holds without those before it', () => {
    const { index, router } = holding([0, 0, 5]);
    index.stored(1, pageKeys('', PROMPT, PAGE).slice(1));
    expect(route(router, ranksWith(0, 0, 0))).toEqual([2]);
  });

  it('W2: knows the prefixes of a namespace by its own keys', () => {
    const { router } = holding([0, 10], { ...PLAIN, cacheSalt: 'tenant' });
    expect(route(router, ranksWith(0, 1), 1, prompt(PROMPT, { cacheSalt: 'tenant' }))).toEqual([1]);
    expect(route(router, ranksWith(0, 1), 1, prompt(PROMPT, { cacheSalt: 'other' }))).toEqual([0]);
    expect(route(router, ranksWith(0, 1), 1, prompt(PROMPT, { extraKey: 'tenant' }))).toEqual([0]);
    expect(route(router, ranksWith(0, 1))).toEqual([0]);
  });

  it('sends nothing after a rank that died, nor after its pages when it is back', () => {
    const { index, router } = holding([0, 10]);
    const ranks = ranksWith(1, 0);
    ranks[1]!.state = 'down';
    expect(route(router, ranks)).toEqual([0]);
    index.cleared(1);
    ranks[1]!.state = 'ready';
    ranks[1]!.load = 2;
    expect(route(router, ranks)).toEqual([0]);
  });

  it('hashes nothing while there is no choice', () => {
    const { index, router } = holding([0, 10]);
    const longest = vi.spyOn(index, 'longest');
    route(router, ranksWith(0));
    const ranks = ranksWith(0, 0);
    ranks[0]!.state = 'down';
    route(router, ranks, 3);
    expect(longest).not.toHaveBeenCalled();
  });

  it('finds its way among 64 ranks', () => {
    const pages = Array.from({ length: 64 }, () => 0);
    pages[63] = 10;
    expect(route(holding(pages).router, ranksWith(...pages.map(() => 0)))).toEqual([63]);
  });

  it('keeps the answers to one prompt together until their rank is too busy', () => {
    const { router } = holding([0, 0]);
    expect(route(router, ranksWith(0, 0), 4)).toEqual([0, 0, 0, 0]);
    const many = route(holding([0, 0]).router, ranksWith(0, 0), 32);
    expect(many.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 1]);
    expect(many.filter((rank) => rank === 0)).toHaveLength(16);
  });

  it('spreads the answers to a prompt that is shorter than a page', () => {
    const short = prompt(PROMPT.subarray(0, PAGE - 1));
    expect(route(holding([0, 0]).router, ranksWith(0, 0), 4, short)).toEqual([0, 1, 0, 1]);
  });

  it('never gives a prompt to a rank that is too busy, nor to a worse one than it need be', () => {
    const rank = fc.record({ load: fc.nat(40), held: fc.nat(10), ready: fc.boolean() });
    fc.assert(
      fc.property(fc.array(rank, { maxLength: 8 }), (states) => {
        const ranks = ranksWith(...states.map(({ load }) => load));
        for (const [i, { ready }] of states.entries()) if (!ready) ranks[i]!.state = 'down';
        const [chosen] = route(holding(states.map(({ held }) => held)).router, ranks);
        const ready = states.filter((state) => state.ready);
        if (chosen === undefined) {
          expect(ready).toEqual([]);
          return;
        }
        const { load, held, ready: isReady } = states[chosen]!;
        const least = Math.min(...ready.map((state) => state.load));
        expect(isReady).toBe(true);
        expect(load - least <= 4 || load <= 1.5 * least).toBe(true);
        for (const other of ready) if (other.load <= load) expect(other.held).toBeLessThanOrEqual(held);
      }),
    );
  });
});

describe('the tokenizer manager', () => {
  const REQUEST = {
    id: 'r',
    prompt: Int32Array.of(0, 1, 0),
    promptParam: 'prompt',
    answers: 2,
    stopStrings: [],
    ignoreEndOfGeneration: true,
    grammar: undefined,
    topLogprobs: undefined,
    special: false,
    keepStop: false,
    sampling: { ...GREEDY, maxTokens: 1, seed: 0 },
  };

  it('tells the router the prompt, its namespace and how many answers are wanted', () => {
    const choose = vi.fn(() => []);
    const manager = new TokenizerManager({
      vocabulary: vocabularyOf(['a']),
      fleet: { ranks: [] } as unknown as Fleet,
      router: { choose },
      observer: { firstToken: vi.fn(), nextToken: vi.fn(), ended: vi.fn() },
      contextLength: 10,
      randomSeed: 0,
    });
    const namespace = { extraKey: 'adapter', cacheSalt: undefined };
    expect(() => manager.generate({ ...REQUEST, namespace })).toThrow('No rank is ready');
    expect(choose).toHaveBeenLastCalledWith([], { tokens: REQUEST.prompt, namespace }, 2);
    expect(() => manager.generate(REQUEST)).toThrow('No rank is ready');
    expect(choose).toHaveBeenLastCalledWith([], { tokens: REQUEST.prompt, namespace: PLAIN }, 2);
    expect(manager.inFlight).toBe(0);
  });
});
