import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { PrefetchSettings, StorageAnswer, StorageRequest, WritePolicySchema } from './storage-messages.ts';

/** The messages between the tokenizer manager and a rank. Every one is checked where it arrives. */

const Integer32s = Type.Refine(
  Type.Unsafe<Int32Array>({}),
  (value) => value instanceof Int32Array,
  () => 'must be an Int32Array',
);
const Unsigned = Type.Integer({ minimum: 0 });
const strict = { additionalProperties: false } as const;

const EngineOptions = Type.Object(
  {
    modelPath: Type.String(),
    gpu: Type.Enum(['auto', 'cuda', 'vulkan', 'metal', 'off']),
    gpuLayers: Type.Integer(),
    cells: Unsigned,
    batchTokens: Unsigned,
    sequences: Unsigned,
    outputs: Unsigned,
    pageSize: Unsigned,
    threads: Unsigned,
    /** Whether no other rank computes on this machine. */
    ownsCores: Type.Boolean(),
    kvCacheType: Type.Enum(['f16', 'q8_0', 'q4_0']),
  },
  strict,
);

const SchedulerLimits = Type.Object(
  {
    /** Tokens that one request may hold, prompt and answer together. */
    contextLength: Unsigned,
    maxRunningRequests: Unsigned,
    /** Prompt tokens per step while something decodes. */
    chunkedPrefillSize: Unsigned,
    /** Prompt tokens per step while nothing decodes. */
    maxPrefillTokens: Unsigned,
    /** Whether a step may compute prompts and answers in one batch. */
    mixedChunk: Type.Boolean(),
    maxQueuedRequests: Unsigned,
  },
  strict,
);
export type SchedulerLimits = Static<typeof SchedulerLimits>;

const Sampling = Type.Object(
  {
    logitBias: Type.Array(Type.Object({ token: Unsigned, bias: Type.Number() }, strict)),
    stopTokens: Type.Array(Unsigned),
    minTokens: Unsigned,
    maxTokens: Unsigned,
    repetitionPenalty: Type.Number(),
    frequencyPenalty: Type.Number(),
    presencePenalty: Type.Number(),
    temperature: Type.Number(),
    topK: Unsigned,
    topP: Type.Number(),
    minP: Type.Number(),
    seed: Unsigned,
  },
  strict,
);

const CacheOptions = Type.Object(
  {
    radixCache: Type.Boolean(),
    /** Of L2. 0 is none. */
    hostBytes: Type.Number({ minimum: 0 }),
    evictionPolicy: Type.Enum(['lru', 'lfu', 'slru', 'priority']),
    writePolicy: WritePolicySchema,
    unusedDeviceTokens: Unsigned,
    /** Absent is never. */
    swapWorthTokens: Type.Optional(Unsigned),
    prefetch: PrefetchSettings,
    /** Where plugins of the storage may lie: an absolute path; absent is nowhere. */
    dynamicFolder: Type.Optional(Type.String()),
    debug: Type.Boolean(),
    /** Whether the server wants to know which pages come and go. */
    events: Type.Boolean(),
  },
  strict,
);
export type CacheOptions = Static<typeof CacheOptions>;

const Start = Type.Object(
  {
    type: Type.Literal('start'),
    rank: Unsigned,
    engine: EngineOptions,
    limits: SchedulerLimits,
    cache: CacheOptions,
  },
  strict,
);

const Generate = Type.Object(
  {
    type: Type.Literal('generate'),
    id: Unsigned,
    prompt: Integer32s,
    sampling: Sampling,
    ignoreEndOfGeneration: Type.Boolean(),
    /** GBNF source. */
    grammar: Type.Optional(Type.String()),
    /** How many likeliest tokens come with each token; none at all when absent. */
    topLogprobs: Type.Optional(Unsigned),
    prefixSeed: Type.Optional(Type.String()),
    priority: Type.Optional(Type.Integer()),
  },
  strict,
);
export type GenerateMessage = Static<typeof Generate>;

const ToRank = Type.Union([
  Start,
  Generate,
  Type.Object({ type: Type.Literal('abort'), id: Unsigned }, strict),
  Type.Object({ type: Type.Literal('inspect'), call: Unsigned }, strict),
  /** Drop what L1 and L2 hold, if the rank is idle. */
  Type.Object({ type: Type.Literal('flush'), call: Unsigned }, strict),
  Type.Object({ type: Type.Literal('scrape'), call: Unsigned }, strict),
  Type.Object({ type: Type.Literal('storage'), call: Unsigned, request: StorageRequest }, strict),
  Type.Object({ type: Type.Literal('stop') }, strict),
]);
export type ToRankMessage = Static<typeof ToRank>;

const ModelInfo = Type.Object(
  {
    description: Type.String(),
    architecture: Type.String(),
    vocabularySize: Unsigned,
    trainedContext: Unsigned,
    parameters: Unsigned,
    bytes: Unsigned,
    paging: Type.Union([
      Type.Object({ supported: Type.Literal(true) }, strict),
      Type.Object({ supported: Type.Literal(false), reason: Type.String() }, strict),
    ]),
    device: Type.String(),
  },
  strict,
);

const CachedTokens = Type.Object({ device: Unsigned, host: Unsigned, storage: Unsigned }, strict);
export type CachedTokens = Static<typeof CachedTokens>;

/** What the tiers of a rank hold at one moment. */
const CacheReport = Type.Object(
  {
    /** `evictable` are tokens that are cached and that no request uses. */
    cells: Type.Object({ capacity: Unsigned, used: Unsigned, evictable: Unsigned }, strict),
    hostPages: Type.Object({ capacity: Unsigned, used: Unsigned }, strict),
    /** Sequence ids that requests use, and those that only hold what is cached. */
    sequences: Type.Object({ running: Unsigned, cached: Unsigned }, strict),
    evictedTokens: Type.Object({ device: Unsigned, host: Unsigned }, strict),
    /** Transfers to and from the storage. */
    inFlight: Type.Object({ prefetch: Unsigned, backup: Unsigned }, strict),
    /** Pages that wait to be written to the storage. */
    queued: Unsigned,
  },
  strict,
);
export type CacheReport = Static<typeof CacheReport>;

/** What a rank holds at one moment. An idle rank runs, waits for, compiles, samples and moves nothing. */
const RankReport = Type.Object(
  {
    running: Unsigned,
    waiting: Unsigned,
    compilingGrammars: Unsigned,
    samplersOpen: Unsigned,
    preemptions: Unsigned,
    steps: Unsigned,
    cache: CacheReport,
  },
  strict,
);
export type RankReport = Static<typeof RankReport>;

const TokenLogprobs = Type.Object(
  {
    logprob: Type.Number(),
    top: Type.Array(Type.Object({ token: Unsigned, logprob: Type.Number() }, strict)),
  },
  strict,
);

/** The tokens of one step: parallel arrays, one entry per request that got a token. */
const Tokens = Type.Object(
  {
    type: Type.Literal('tokens'),
    ids: Integer32s,
    tokens: Integer32s,
    /** Only when some request asked; `null` for those that did not. */
    logprobs: Type.Optional(Type.Array(Type.Union([TokenLogprobs, Type.Null()]))),
  },
  strict,
);

const Finished = Type.Object(
  {
    type: Type.Literal('finished'),
    id: Unsigned,
    reason: Type.Enum(['stop', 'length']),
    /** The token that ended the answer. It counts, but its text is not part of the answer. */
    stop: Type.Optional(
      Type.Object({ token: Unsigned, logprobs: Type.Union([TokenLogprobs, Type.Null()]) }, strict),
    ),
  },
  strict,
);
export type FinishedMessage = Static<typeof Finished>;

/** One metric with its values. */
export type MetricSnapshot = MetricObjectWithValues<MetricValue<string>>;

const Refusal = { code: Type.String(), message: Type.String() };

const FromRank = Type.Union([
  Type.Object({ type: Type.Literal('loading'), fraction: Type.Number() }, strict),
  Type.Object({ type: Type.Literal('ready'), model: ModelInfo, pageBytes: Unsigned }, strict),
  Type.Object({ type: Type.Literal('start-failed'), ...Refusal }, strict),
  /** Comes before the first token: the tokens of the prompt that were not computed, by where their KV came from. */
  Type.Object({ type: Type.Literal('started'), id: Unsigned, cached: CachedTokens }, strict),
  Tokens,
  Finished,
  Type.Object({ type: Type.Literal('failed'), id: Unsigned, ...Refusal }, strict),
  Type.Object({ type: Type.Literal('inspected'), call: Unsigned, report: RankReport }, strict),
  /** Metrics as prom-client makes them. */
  Type.Object(
    { type: Type.Literal('scraped'), call: Unsigned, metrics: Type.Array(Type.Unsafe<MetricSnapshot>({})) },
    strict,
  ),
  Type.Object({ type: Type.Literal('flushed'), call: Unsigned, done: Type.Boolean() }, strict),
  Type.Object({ type: Type.Literal('storage-answered'), call: Unsigned, answer: StorageAnswer }, strict),
  /** Pages, by their keys, that came to L1 and L2, and those that are in neither any more. */
  Type.Object(
    { type: Type.Literal('pages'), stored: Type.Array(Type.String()), removed: Type.Array(Type.String()) },
    strict,
  ),
]);
export type FromRankMessage = Static<typeof FromRank>;

const toRank = Compile(ToRank);
const fromRank = Compile(FromRank);

/** Throws when the value is no message for a rank: the two processes are of different versions. */
export function parseToRank(value: unknown): ToRankMessage {
  if (!toRank.Check(value))
    throw new TypeError(`Not a message for a rank: ${describe(toRank.Errors(value))}`);
  return value;
}

/** Throws when the value is no message from a rank. */
export function parseFromRank(value: unknown): FromRankMessage {
  if (value instanceof Int32Array) return unpackTokens(value);
  if (!fromRank.Check(value))
    throw new TypeError(`Not a message from a rank: ${describe(fromRank.Errors(value))}`);
  return value;
}

/** The tokens of one step as one array, first all ids: what comes with every step travels as nothing but numbers. */
export function packTokens(ids: Int32Array, tokens: Int32Array): Int32Array {
  const packed = new Int32Array(2 * ids.length);
  packed.set(ids);
  packed.set(tokens, ids.length);
  return packed;
}

function unpackTokens(packed: Int32Array): FromRankMessage {
  const count = packed.length / 2;
  if (!Number.isInteger(count)) throw new TypeError('Not a message from a rank: tokens without ids.');
  return { type: 'tokens', ids: packed.subarray(0, count), tokens: packed.subarray(count) };
}

function describe(errors: { instancePath: string; message: string }[]): string {
  return errors.map((error) => `${error.instancePath} ${error.message}`).join('; ');
}
