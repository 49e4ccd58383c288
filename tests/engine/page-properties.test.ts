import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import {
  compute,
  empty,
  logprobs,
  openEngine,
  pagesOf,
  savePages,
  useModel,
} from '../support/tiny-engine.ts';

const SEQUENCES = 4;
const PAGE = 4;
const LONGEST = 48;
const PROBE = 9;
/** Other cells, other batches: other rounding. A wrong position or token changes the logits by whole numbers. */
const TOLERANCE = 0.1;

const tiny = useModel('tiny', { pageSize: PAGE, cells: 256, sequences: SEQUENCES });
let fresh: Engine;
beforeAll(async () => {
  fresh = await openEngine('tiny', { cells: 256, sequences: 1 });
});
afterAll(() => fresh.close());

const sequence = fc.nat({ max: SEQUENCES - 1 });
const part = fc.double({ min: 0, max: 1, noNaN: true });
const step = fc.oneof(
  {
    weight: 3,
    // Few different tokens: prefixes meet again.
    arbitrary: fc.record({
      do: fc.constant('compute' as const),
      sequence,
      tokens: fc.array(fc.constantFrom(11, 500), { minLength: 1, maxLength: 12 }),
    }),
  },
  fc.record({ do: fc.constant('truncate' as const), sequence, part }),
  fc.record({ do: fc.constant('share' as const), sequence, target: sequence, part }),
  fc.record({ do: fc.constant('save' as const), sequence }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), sequence, part }) },
);

const startsWith = (tokens: number[], prefix: number[]) => prefix.every((token, i) => tokens[i] === token);

/** Pages by the tokens up to their end. */
type Store = Map<string, { prefix: number[]; page: Uint8Array }>;

function restore(engine: Engine, store: Store, held: number[], sequence: number, part: number): number[] {
  const prefixes = [...store.values()].map(({ prefix }) => prefix).toSorted((a, b) => a.length - b.length);
  const whole = prefixes[Math.floor(part * (prefixes.length - 1))] ?? [];
  let from = 0;
  while (from + PAGE <= Math.min(held.length, whole.length) && held[from] === whole[from]) from++;
  from -= from % PAGE;
  if (!startsWith(held, whole.slice(0, from))) from = 0;
  const pages: Uint8Array[] = [];
  for (let end = from + PAGE; end <= whole.length; end += PAGE) {
    const found = store.get(String(whole.slice(0, end)));
    if (!found) break;
    pages.push(found.page);
  }
  if (pages.length === 0) return held;
  engine.truncateSequence(sequence, from);
  expect(pagesOf(engine).restore(sequence, from, pages)).toBe('done');
  return whole.slice(0, from + PAGE * pages.length);
}

async function expectRight(engine: Engine, sequence: number, held: number[]): Promise<void> {
  await compute(engine, sequence, [PROBE]);
  const got = new Map(logprobs(engine).map(({ token, logprob }) => [token, logprob]));
  engine.truncateSequence(sequence, held.length);
  empty(fresh);
  await compute(fresh, 0, [...held, PROBE]);
  for (const { token, logprob } of logprobs(fresh).slice(0, 100)) {
    expect(Math.abs(logprob - got.get(token)!), `token ${token} after ${held}`).toBeLessThan(TOLERANCE);
  }
}

it('sequences hold what they would have computed, whatever was shared, saved, restored and cut', async () => {
  const { engine } = tiny;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      empty(engine);
      const held: number[][] = Array.from({ length: SEQUENCES }, () => []);
      const store: Store = new Map();
      for (const step of steps) {
        const { sequence } = step;
        const mine = held[sequence]!;
        if (step.do === 'compute') {
          const tokens = step.tokens.slice(0, LONGEST - mine.length);
          if (tokens.length === 0) continue;
          await compute(engine, sequence, tokens);
          mine.push(...tokens);
        } else if (step.do === 'truncate') {
          mine.length = Math.floor(mine.length * step.part);
          engine.truncateSequence(sequence, mine.length);
        } else if (step.do === 'share') {
          const theirs = held[step.target]!;
          const prefix = mine.slice(0, Math.ceil(mine.length * step.part));
          // What comes after it in the target was computed after these tokens, or there is nothing.
          if (sequence === step.target || !(theirs.length <= prefix.length || startsWith(theirs, prefix)))
            continue;
          engine.sharePrefix(sequence, step.target, prefix.length);
          theirs.splice(0, prefix.length, ...prefix);
        } else if (step.do === 'save') {
          const pages = savePages(engine, sequence, 0, Math.floor(mine.length / PAGE));
          for (const [i, page] of pages.entries()) {
            const prefix = mine.slice(0, PAGE * (i + 1));
            store.set(String(prefix), { prefix, page });
          }
        } else {
          held[sequence] = restore(engine, store, mine, sequence, step.part);
        }
        expect(held.map((_, i) => engine.sequenceLength(i))).toEqual(held.map(({ length }) => length));
      }
      for (const [sequence, tokens] of held.entries()) await expectRight(engine, sequence, tokens);
      empty(engine);
      expect(engine.cellsInUse).toBe(0);
    }),
    { numRuns: 60 },
  );
});
