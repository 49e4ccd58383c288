import { afterAll, beforeAll } from 'vitest';
import type { Engine, Sampler, SamplingParams, Vocabulary } from '../../src/engine/engine.ts';
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
  return openLlamaEngine({
    modelPath: await ensureModel(name),
    gpu: 'off',
    gpuLayers: 0,
    cells: 1024,
    batchTokens: 128,
    sequences: 4,
    threads: 1,
    kvCacheType: 'f16',
    ...options,
  });
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
