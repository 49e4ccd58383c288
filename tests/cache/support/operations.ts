import fc from 'fast-check';
import { EVICTION_POLICIES } from '../../../src/cache/eviction.ts';
import { PREFETCH_POLICIES } from '../../../src/cache/prefetch-policy.ts';
import { WRITE_POLICIES } from '../../../src/cache/write-policy.ts';
import type { Trouble } from './troubled-store.ts';

export type Operation =
  | {
      do: 'submit';
      prompt: string;
      maxTokens: number;
      namespace: number;
      priority: number;
      grammar?: string | undefined;
      ignoreEnd: boolean;
    }
  /** The next turn of a conversation: an earlier prompt, its answer, and more. */
  | { do: 'go on'; which: number; prompt: string; maxTokens: number }
  | { do: 'abort'; which: number }
  | { do: 'pass'; ms: number }
  | { do: 'attach'; store: number }
  | { do: 'detach' }
  | { do: 'flush' }
  | { do: 'release' }
  | { do: 'fail decode' }
  | { do: 'no room' }
  | { do: 'settle' };

const prompt = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'a', 'b', 'c'), { minLength: 0, maxLength: 7, size: 'max' }),
    fc.constantFrom('', '', '1', '2', '12'),
  )
  .map(([letters, end]) => `a${letters.join('')}${end}`);
const maxTokens = fc.integer({ min: 1, max: 6 });

const submit = fc
  .record({
    prompt,
    maxTokens,
    namespace: fc.constantFrom(0, 0, 0, 1, 2),
    priority: fc.integer({ min: 0, max: 2 }),
    grammar: fc.constantFrom<(string | undefined)[]>(
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'x',
      '',
    ),
    ignoreEnd: fc.boolean(),
  })
  .map((asked): Operation => ({ do: 'submit', ...asked }));

const goOn = fc
  .record({ which: fc.nat(1000), prompt: prompt.map((text) => text.slice(0, 3)), maxTokens })
  .map((asked): Operation => ({ do: 'go on', ...asked }));

export const OPERATION: fc.Arbitrary<Operation> = fc.oneof(
  { arbitrary: submit, weight: 12 },
  { arbitrary: goOn, weight: 4 },
  { arbitrary: fc.integer({ min: 1, max: 8 }).map((ms): Operation => ({ do: 'pass', ms })), weight: 10 },
  { arbitrary: fc.constantFrom<Operation[]>({ do: 'pass', ms: 40 }, { do: 'pass', ms: 3000 }), weight: 2 },
  { arbitrary: fc.constant<Operation>({ do: 'pass', ms: 100_000 }), weight: 1 },
  { arbitrary: fc.nat(1000).map((which): Operation => ({ do: 'abort', which })), weight: 3 },
  { arbitrary: fc.nat(1).map((store): Operation => ({ do: 'attach', store })), weight: 2 },
  {
    arbitrary: fc.constantFrom<Operation[]>(
      { do: 'detach' },
      { do: 'flush' },
      { do: 'flush' },
      { do: 'release' },
      { do: 'release' },
      { do: 'release' },
      { do: 'fail decode' },
      { do: 'no room' },
      { do: 'settle' },
    ),
    weight: 3,
  },
);

/** One entry per call of the storage, over and over. */
const troubles = fc.array(
  fc.oneof(
    { arbitrary: fc.constant(undefined), weight: 8 },
    { arbitrary: fc.constantFrom<Trouble[]>(1, 3, 10, 30, 60), weight: 4 },
    {
      arbitrary: fc.constantFrom<Trouble[]>(
        4000,
        70_000,
        'hang',
        'throw',
        'reject',
        'fail',
        'nonsense',
        'miss',
        'damage',
        'truncate',
        'exchange',
      ),
      weight: 3,
    },
  ),
  { minLength: 1, maxLength: 12 },
);

/** Everything tiny, so that every tier evicts all the time. */
export const SETTING = fc.record({
  pageSize: fc.integer({ min: 1, max: 8 }),
  cells: fc.integer({ min: 44, max: 140 }),
  sequences: fc.integer({ min: 2, max: 6 }),
  hostPages: fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 40 }), weight: 8 },
    { arbitrary: fc.constant(0), weight: 1 },
  ),
  batchTokens: fc.integer({ min: 3, max: 40 }),
  maxRunningRequests: fc.integer({ min: 1, max: 4 }),
  chunkedPrefillSize: fc.integer({ min: 1, max: 24 }),
  mixedChunk: fc.boolean(),
  maxPrefillTokens: fc.integer({ min: 1, max: 40 }),
  evictionPolicy: fc.constantFrom(...EVICTION_POLICIES),
  writePolicy: fc.constantFrom(...WRITE_POLICIES),
  unusedDeviceTokens: fc.constantFrom(0, 8, Number.POSITIVE_INFINITY),
  prefetchPolicy: fc.constantFrom(...PREFETCH_POLICIES),
  threshold: fc.integer({ min: 1, max: 10 }),
  /** Seconds; the clock's steps are milliseconds. */
  patience: fc.constantFrom(0.005, 0.05, 2),
  attached: fc.boolean(),
  troubles,
});

export type Setting = typeof SETTING extends fc.Arbitrary<infer T> ? T : never;
