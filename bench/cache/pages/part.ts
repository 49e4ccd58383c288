import os from 'node:os';
import { HostPool } from '../../../src/controller/host-pool.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { findLibrary } from '../../../src/engine/llama/library.ts';
import { openLlamaEngine } from '../../../src/engine/llama/llama-engine.ts';
import { loadLibrary, silentLog } from '../../../src/engine/llama/load.ts';
import { table } from '../../support/page.ts';
import { uniquePrompt } from '../../support/prompts.ts';
import { rounded } from '../../support/statistics.ts';
import { type Measured, type Settings, withModel } from '../part.ts';
import { measureGranularity } from './granularity.ts';
import { measureCopies } from './memory-copies.ts';
import { measureReads } from './storage-reads.ts';
import { measureTree } from './tree.ts';

const PAGE_SIZES = [16, 32, 64];
const BATCH = 512;

/** What the size of a page decides: speed of the moves between the tiers, bookkeeping, and what is lost at its borders. */
export async function measurePages(settings: Settings): Promise<Measured> {
  const rows: Row[] = [];
  for (const pageSize of PAGE_SIZES) {
    settings.say(`pages of ${pageSize} tokens …`);
    rows.push({ pageSize, ...(await measurePageSize(pageSize, settings)) });
  }
  const line = (name: string, value: (row: Row) => string | number) => [name, ...rows.map(value)];
  const markdown = table(
    ['tokens in a page', ...PAGE_SIZES],
    [
      line('KiB in a page', (row) => rounded(row.pageBytes / 1024, 0)),
      line('L2 → L1, GB/s', ({ copies }) => rounded(copies.restore)),
      line('… of memcpy', ({ copies }) => rounded(copies.restoreOfCopy, 2)),
      line('L1 → L2, GB/s', ({ copies }) => rounded(copies.save)),
      line('L3 → L2 from the page cache, GB/s', ({ reads }) => rounded(reads.read)),
      line('… of plain reads of the files', ({ reads }) => rounded(reads.readOfPlain, 2)),
      line('found again by chats in L2', ({ reused }) => `${rounded(100 * reused)} %`),
      line('keys of 32k tokens, ms', ({ tree }) => rounded(tree.hash, 2)),
      line('matches of 32k tokens per second', ({ tree }) => rounded(1000 / tree.match, 0)),
      line('inserts of 32k tokens per second', ({ tree }) => rounded(1000 / tree.insert, 0)),
      line('bytes of bookkeeping per token', ({ tree }) => rounded(tree.bytesPerToken)),
    ],
  );
  return { data: { rows }, markdown, about: withModel(settings) };
}

type Row = { pageSize: number } & Awaited<ReturnType<typeof measurePageSize>>;

async function measurePageSize(pageSize: number, { modelPath, rounds, quick }: Settings) {
  const tokens = quick ? 256 : 2048;
  loadLibrary(findLibrary('off')).llama_log_set(silentLog(), null);
  const engine = await openLlamaEngine({
    modelPath,
    gpu: 'off',
    gpuLayers: 0,
    cells: 2 * tokens + 256,
    batchTokens: BATCH,
    sequences: 2,
    outputs: 2,
    pageSize,
    threads: os.availableParallelism(),
    kvCacheType: 'f16',
  });
  try {
    const { pages } = engine;
    if (!pages) throw new Error('The model has no pages.');
    await compute(engine, uniquePrompt(0, tokens));
    const pool = new HostPool(tokens / pageSize, pages.bytes);
    const slots = pool.take(tokens / pageSize)!;
    const copies = measureCopies(engine, pool, slots, rounds);
    const reads = await measureReads(pool, slots, rounds);
    const tree = await measureTree(pageSize, rounds);
    return { pageBytes: pages.bytes, copies, reads, tree, reused: await measureGranularity(pageSize) };
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
