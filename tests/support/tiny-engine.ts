import { createHash } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import type {
  Engine,
  PageAccess,
  Sampler,
  SamplingParams,
  TokenLogprobs,
  Vocabulary,
} from '../../src/engine/engine.ts';
import { findLibrary } from '../../src/engine/llama/library.ts';
import { type LlamaEngineOptions, openLlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { loadLibrary, silentLog } from '../../src/engine/llama/load.ts';
import { openVocabulary } from '../../src/engine/llama/vocabulary.ts';
import type { ModelName } from '../../src/models/recipes.ts';
import { ensureModel } from '../../src/models/store.ts';
import { GREEDY } from './simulation.ts';

/** Opens a generated model on the CPU, small and with one thread. */
export async function openEngine(
  name: ModelName,
  options: Partial<LlamaEngineOptions> = {},
): Promise<Engine> {
  loadLibrary(findLibrary('off')).llama_log_set(silentLog(), null);
  return openLlamaEngine(await engineOptions(name, options));
}

export async function engineOptions(
  name: ModelName,
  options: Partial<LlamaEngineOptions> = {},
): Promise<LlamaEngineOptions> {
  return {
    modelPath: await ensureModel(name),
    gpu: 'off',
    gpuLayers: 0,
    cells: 1024,
    batchTokens: 128,
    sequences: 4,
    outputs: options.sequences ?? 4,
    pageSize: 16,
    threads: 1,
    ownsCores: false,
    kvCacheType: 'f16',
    ...options,
  };
}

/** The engine and the vocabulary of a model for all tests of a file; every test leaves the sequences empty. */
export function useModel(name: ModelName, options: Partial<LlamaEngineOptions> = {}) {
  const model = {} as { engine: Engine; vocabulary: Vocabulary };
  beforeAll(async () => {
    model.engine = await openEngine(name, options);
    model.vocabulary = await openVocabulary(await ensureModel(name), 'off');
  });
  afterAll(async () => {
    await model.engine.close();
    model.vocabulary.close();
  });
  return model;
}

/** Tokens that look like a prompt, the same for the same seed. */
export function tokens(count: number, seed = 1): Int32Array {
  let state = seed;
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % 1000;
  });
}

export function empty(engine: Engine): void {
  for (let sequence = 0; sequence < engine.limits.sequences; sequence++) engine.truncateSequence(sequence, 0);
}

/** Adds a chunk at the end of a sequence; returns the row of its last token's logits. */
export function add(engine: Engine, sequence: number, chunk: ArrayLike<number>, pending = 0): number {
  const from = engine.sequenceLength(sequence) + pending;
  let row = -1;
  for (let i = 0; i < chunk.length; i++) {
    row = engine.batch.add(chunk[i]!, from + i, sequence, i === chunk.length - 1);
  }
  return row;
}

/** Computes a chunk alone in its batch; its last row of logits is row 0. */
export async function compute(engine: Engine, sequence: number, chunk: ArrayLike<number>): Promise<void> {
  engine.batch.clear();
  add(engine, sequence, chunk);
  const outcome = await engine.decode();
  if (outcome !== 'done') throw new Error(`The decode answered ${outcome}.`);
}

/** Computes a prompt in an empty sequence and samples up to `count` tokens; leaves the sequence empty. */
async function generate(
  engine: Engine,
  prompt: Int32Array,
  sampler: Sampler,
  count: number,
  sequence = 0,
): Promise<number[]> {
  engine.truncateSequence(sequence, 0);
  await compute(engine, sequence, prompt);
  const answer: number[] = [];
  while (answer.length < count) {
    const token = sampler.sample(0);
    if (token < 0) break;
    answer.push(token);
    if (answer.length < count) await compute(engine, sequence, [token]);
  }
  engine.truncateSequence(sequence, 0);
  return answer;
}

/** What generate gives with these parameters and this grammar. */
export async function sampled(
  engine: Engine,
  prompt: Int32Array,
  count: number,
  params: Partial<SamplingParams> = {},
  gbnf?: string,
): Promise<number[]> {
  const grammar = gbnf === undefined ? undefined : await engine.compileGrammar(gbnf);
  const sampler = engine.createSampler({ ...GREEDY, maxTokens: count, ...params }, prompt, grammar);
  try {
    return await generate(engine, prompt, sampler, count);
  } finally {
    sampler.close();
  }
}

/** The likeliest token at a row, and a digest of all log-probabilities: equal only where the logits are. */
export function distribution(engine: Engine, row = 0): { token: number; digest: string } {
  const all = logprobs(engine, row);
  const digest = createHash('sha1').update(JSON.stringify(all)).digest('hex');
  return { token: all[0]!.token, digest };
}

/** The log-probabilities of all tokens at a row, in falling order. */
export function logprobs(engine: Engine, row = 0): TokenLogprobs['top'] {
  const sampler = engine.createSampler(GREEDY, new Int32Array(0));
  try {
    return sampler.logprobs(row, 0, engine.model.vocabularySize).top;
  } finally {
    sampler.close();
  }
}

/**
 * Computes a token at the end of a sequence and the likeliest ones after it, one by one: with less than 256 cells in
 * use the library adds in the order of the cells, so what it gives is the same to the last bit for the same KV.
 */
export async function continuation(engine: Engine, sequence: number, token: number, count = 8) {
  const steps: { token: number; digest: string }[] = [];
  let next = token;
  while (steps.length < count) {
    await compute(engine, sequence, [next]);
    const step = distribution(engine);
    steps.push(step);
    next = step.token;
  }
  return steps;
}

/** Buffers for so many pages. */
export function emptyPages(engine: Engine, count: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(pagesOf(engine).bytes));
}

/** Saves `count` pages of a sequence from a position on. */
export function savePages(engine: Engine, sequence: number, from: number, count: number): Uint8Array[] {
  const pages = emptyPages(engine, count);
  pagesOf(engine).save(sequence, from, pages);
  return pages;
}

export function pagesOf(engine: Engine): PageAccess {
  if (!engine.pages) throw new Error('This engine has no pages.');
  return engine.pages;
}
