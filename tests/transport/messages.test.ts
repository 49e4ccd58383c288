import { describe, expect, it } from 'vitest';
import {
  type FromRankMessage,
  packTokens,
  parseFromRank,
  parseToRank,
  type ToRankMessage,
} from '../../src/shared/messages.ts';
import { GREEDY } from '../support/simulation.ts';

const START: ToRankMessage = {
  type: 'start',
  rank: 0,
  engine: {
    modelPath: '/model.gguf',
    gpu: 'off',
    gpuLayers: -1,
    cells: 512,
    batchTokens: 64,
    sequences: 4,
    outputs: 4,
    pageSize: 64,
    threads: 2,
    ownsCores: true,
    kvCacheType: 'q8_0',
  },
  limits: {
    contextLength: 512,
    maxRunningRequests: 4,
    chunkedPrefillSize: 64,
    mixedChunk: true,
    maxPrefillTokens: 64,
    maxQueuedRequests: 10,
  },
  cache: {
    radixCache: true,
    hostBytes: 1e9,
    evictionPolicy: 'lru',
    writePolicy: 'write_through',
    unusedDeviceTokens: 1024,
    swapWorthTokens: 48,
    prefetch: { policy: 'timeout', threshold: 256, timeoutBase: 2, timeoutPerKiToken: 0.1, timeoutMax: 30 },
    debug: false,
    events: true,
  },
};
const GENERATE: ToRankMessage = {
  type: 'generate',
  id: 7,
  prompt: Int32Array.of(1, 2),
  sampling: { ...GREEDY, logitBias: [{ token: 1, bias: -0.5 }], stopTokens: [3] },
  ignoreEndOfGeneration: false,
};
const TO_RANK: ToRankMessage[] = [
  START,
  GENERATE,
  { ...GENERATE, grammar: 'root ::= "a"', topLogprobs: 0, prefixSeed: 'ab', priority: -1 },
  { type: 'abort', id: 7 },
  { type: 'inspect', call: 0 },
  { type: 'flush', call: 1 },
  { type: 'scrape', call: 2 },
  { type: 'storage', call: 3, request: { kind: 'status' } },
  { type: 'storage', call: 4, request: { kind: 'commit', operation: 1, graceMilliseconds: 0 } },
  { type: 'stop' },
];

const MODEL = {
  description: 'llama',
  architecture: 'llama',
  vocabularySize: 10,
  trainedContext: 10,
  parameters: 1,
  bytes: 1,
  device: 'CPU',
};
const REPORT = {
  running: 1,
  waiting: 0,
  compilingGrammars: 0,
  samplersOpen: 1,
  preemptions: 3,
  steps: 99,
  cache: {
    cells: { capacity: 512, used: 10, evictable: 3 },
    hostPages: { capacity: 8, used: 2 },
    sequences: { running: 1, cached: 2 },
    evictedTokens: { device: 0, host: 64 },
    inFlight: { prefetch: 0, backup: 1 },
    queued: 5,
  },
};
const LOGPROBS = { logprob: -0.1, top: [{ token: 1, logprob: -0.1 }] };
const TOKENS: FromRankMessage = {
  type: 'tokens',
  ids: Int32Array.of(1, 2),
  tokens: Int32Array.of(3, 4),
  logprobs: [null, LOGPROBS],
};
const FROM_RANK: FromRankMessage[] = [
  { type: 'loading', fraction: 0.5 },
  { type: 'ready', model: { ...MODEL, paging: { supported: true } }, pageBytes: 64 },
  { type: 'ready', model: { ...MODEL, paging: { supported: false, reason: 'why' } }, pageBytes: 0 },
  { type: 'start-failed', code: 'model_file', message: 'no' },
  { type: 'storage-answered', call: 4, answer: { kind: 'done' } },
  { type: 'storage-answered', call: 5, answer: { kind: 'refused', code: 'storage_policy', message: 'no' } },
  { type: 'started', id: 1, cached: { device: 1, host: 2, storage: 3 } },
  TOKENS,
  { type: 'tokens', ids: Int32Array.of(1), tokens: Int32Array.of(3) },
  { type: 'finished', id: 1, reason: 'length' },
  { type: 'finished', id: 1, reason: 'stop', stop: { token: 2, logprobs: null } },
  { type: 'finished', id: 1, reason: 'stop', stop: { token: 2, logprobs: LOGPROBS } },
  { type: 'failed', id: 1, code: 'internal', message: 'no' },
  { type: 'inspected', call: 1, report: REPORT },
  { type: 'flushed', call: 1, done: true },
  { type: 'scraped', call: 1, metrics: [] },
  { type: 'pages', stored: ['a'], removed: [] },
];

type Path = (string | number)[];

/** Every field of a message, however deep. */
function fields(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...at, key], ...fields(inner, [...at, key])]);
}

/** A copy in which the field is changed: `undefined` takes it away. */
function changed(message: object, path: Path, value: unknown): object {
  const copy = structuredClone(message) as Record<string, unknown>;
  let parent = copy;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
  if (value === undefined) delete parent[path.at(-1)!];
  else parent[path.at(-1)!] = value;
  return copy;
}

const OPTIONAL = new Set([
  'swapWorthTokens',
  'grammar',
  'topLogprobs',
  'prefixSeed',
  'priority',
  'storage',
  'modelFingerprint',
  'logprobs',
  'stop',
]);

describe.for([
  ['to a rank', parseToRank, TO_RANK],
  ['from a rank', parseFromRank, FROM_RANK],
] as [string, (value: unknown) => unknown, object[]][])('a message %s', ([_, parse, messages]) => {
  it('is taken as it is', () => {
    for (const message of messages) expect(parse(structuredClone(message))).toEqual(message);
  });

  it('with a field that is not known is refused, however deep', () => {
    for (const message of messages) {
      const objects = fields(message).filter((path) => {
        const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], message);
        return (
          typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
        );
      });
      for (const path of [[], ...objects]) {
        const wrong = changed(message, [...path, 'surprise'], 1);
        expect(() => parse(wrong), JSON.stringify(wrong)).toThrow(TypeError);
      }
    }
  });

  it('without one of its fields is refused', () => {
    for (const message of messages) {
      for (const path of fields(message)) {
        const key = path.at(-1)!;
        if (OPTIONAL.has(String(key)) || /^\d+$/.test(String(key))) continue;
        const wrong = changed(message, path, undefined);
        expect(() => parse(wrong), `${JSON.stringify(message)} without ${path.join('.')}`).toThrow(TypeError);
      }
    }
  });

  it('with a field of another type is refused', () => {
    for (const message of messages) {
      for (const path of fields(message)) {
        for (const value of [new Date(0), Number.NaN, { no: 1 }]) {
          const wrong = changed(message, path, value);
          expect(() => parse(wrong), `${path.join('.')} = ${String(value)}`).toThrow(TypeError);
        }
      }
    }
  });

  it('that is none at all is refused', () => {
    for (const value of [undefined, null, 1, 'stop', [], {}, { type: 'unknown' }, { type: '__proto__' }]) {
      expect(() => parse(value)).toThrow(TypeError);
    }
  });
});

describe('numbers in messages', () => {
  it('are whole and not negative where they count something, and finite everywhere', () => {
    for (const id of [-1, 1.5, Number.POSITIVE_INFINITY, '1']) {
      expect(() => parseToRank({ type: 'abort', id })).toThrow(TypeError);
    }
    for (const temperature of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const wrong = changed(GENERATE, ['sampling', 'temperature'], temperature);
      expect(() => parseToRank(wrong)).toThrow(TypeError);
    }
  });

  it('come in arrays of 32-bit integers, and in no others', () => {
    for (const prompt of [[1, 2], Uint32Array.of(1), Float32Array.of(1), new ArrayBuffer(4)]) {
      expect(() => parseToRank({ ...GENERATE, prompt })).toThrow('Int32Array');
    }
  });
});

it('the tokens of a step come back as they were packed', () => {
  const [ids, tokens] = [Int32Array.of(1, 2 ** 31 - 1), Int32Array.of(0, 7)];
  expect(parseFromRank(packTokens(ids, tokens))).toEqual({ type: 'tokens', ids, tokens });
  expect(parseFromRank(new Int32Array())).toEqual({
    type: 'tokens',
    ids: new Int32Array(),
    tokens: new Int32Array(),
  });
  expect(() => parseFromRank(Int32Array.of(1, 2, 3))).toThrow(TypeError);
});
