/** Measures one size of pages, in a process of its own, and prints one line of JSON. Needs `--expose-gc`. */
import os from 'node:os';
import { HostPool } from '../../../src/controller/host-pool.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { findLibrary } from '../../../src/engine/llama/library.ts';
import { openLlamaEngine } from '../../../src/engine/llama/llama-engine.ts';
import { loadLibrary, silentLog } from '../../../src/engine/llama/load.ts';
import { uniquePrompt } from '../../support/prompts.ts';
import { measureGranularity } from './granularity.ts';
import { measureCopies } from './memory-copies.ts';
import { measureReads } from './storage-reads.ts';
import { measureTree } from './tree.ts';

const BATCH = 512;

const [modelPath, ...numbers] = process.argv.slice(2);
const [pageSize, tokens, rounds] = numbers.map(Number);
if (!modelPath || !pageSize || !tokens || !rounds)
  throw new Error('Usage: page-size.ts <model> <tokens in a page> <tokens> <rounds>');
process.stdout.write(`${JSON.stringify(await measure(modelPath, pageSize, tokens, rounds))}\n`);

export type MeasuredPageSize = Awaited<ReturnType<typeof measure>>;

async function measure(model: string, size: number, length: number, times: number) {
  loadLibrary(findLibrary('off')).llama_log_set(silentLog(), null);
  const engine = await openLlamaEngine({
    modelPath: model,
    gpu: 'off',
    gpuLayers: 0,
    cells: 2 * length + 256,
    batchTokens: BATCH,
    sequences: 2,
    outputs: 2,
    pageSize: size,
    threads: os.availableParallelism(),
    ownsCores: true,
    kvCacheType: 'f16',
  });
  try {
    const { pages } = engine;
    if (!pages) throw new Error('The model has no pages.');
    await compute(engine, uniquePrompt(0, length));
    const pool = new HostPool(length / size, pages.bytes);
    const slots = pool.take(length / size)!;
    const copies = measureCopies(engine, pool, slots, times);
    const reads = await measureReads(pool, slots, times);
    const tree = await measureTree(size, times);
    const found = await measureGranularity(size);
    return { pageSize: size, pageBytes: pages.bytes, copies, reads, tree, found };
  } finally {
    await engine.close();
  }
}

async function compute(engine: Engine, prompt: readonly number[]): Promise<void> {
  for (let from = 0; from < prompt.length; from += BATCH) {
    engine.batch.clear();
    for (const [i, token] of prompt.slice(from, from + BATCH).entries())
      engine.batch.add(token, from + i, 0, false);
    if ((await engine.decode()) !== 'done') throw new Error('The prompt was not computed.');
  }
}
