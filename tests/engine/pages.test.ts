import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import type { LlamaEngineOptions } from '../../src/engine/llama/llama-engine.ts';
import type { ModelName } from '../../src/models/recipes.ts';
import {
  add,
  compute,
  continuation,
  empty,
  emptyPages,
  engineOptions,
  openEngine,
  pagesOf,
  savePages,
  tokens,
} from '../support/tiny-engine.ts';

const run = promisify(execFile);

/** Six pages. */
const PROMPT = tokens(96);
const PAGES = 6;
const NEXT = 7;

const KINDS: { title: string; name: ModelName; options: Partial<LlamaEngineOptions> }[] = [
  { title: 'f16 KV', name: 'tiny', options: { kvCacheType: 'f16' } },
  { title: 'q8_0 KV', name: 'tiny-qwen2', options: { kvCacheType: 'q8_0' } },
];

describe.for(KINDS)('pages of $title', ({ name, options }) => {
  let engine: Engine;
  let saved: Uint8Array[];
  let expected: Awaited<ReturnType<typeof continuation>>;
  beforeAll(async () => {
    engine = await openEngine(name, options);
    await compute(engine, 0, PROMPT);
    saved = savePages(engine, 0, 0, PAGES);
    expected = await continuation(engine, 0, NEXT);
    empty(engine);
  });
  afterAll(() => engine.close());

  it('leave the sequence as it was', async () => {
    await compute(engine, 0, PROMPT);
    expect(savePages(engine, 0, 0, PAGES)).toEqual(saved);
    expect([engine.sequenceLength(0), engine.cellsInUse]).toEqual([96, 96]);
    expect(await continuation(engine, 0, NEXT)).toEqual(expected);
    empty(engine);
  });

  it('come back in one call or in several, and go on as if they had never left', async () => {
    for (const parts of [[6], [1, 5], [2, 2, 2], [1, 1, 1, 1, 1, 1]]) {
      let at = 0;
      for (const part of parts) {
        expect(pagesOf(engine).restore(2, 16 * at, saved.slice(at, at + part))).toBe('done');
        at += part;
        expect([engine.sequenceLength(2), engine.cellsInUse]).toEqual([16 * at, 16 * at]);
      }
      expect(savePages(engine, 2, 0, PAGES)).toEqual(saved);
      expect(await continuation(engine, 2, NEXT)).toEqual(expected);
      empty(engine);
    }
  });

  it('come back behind computed positions', async () => {
    await compute(engine, 1, PROMPT.subarray(0, 48));
    const computed = savePages(engine, 1, 0, 3);
    expect(pagesOf(engine).restore(1, 48, saved.slice(3))).toBe('done');
    expect(savePages(engine, 1, 0, 3)).toEqual(computed);
    expect(savePages(engine, 1, 48, 3)).toEqual(saved.slice(3));
    const greedy = (await continuation(engine, 1, NEXT)).map(({ token }) => token);
    expect(greedy).toEqual(expected.map(({ token }) => token));
    empty(engine);
  });

  it('may begin anywhere', async () => {
    await compute(engine, 0, PROMPT);
    const [middle] = savePages(engine, 0, 37, 1);
    const end = savePages(engine, 0, 53, 2);
    engine.truncateSequence(0, 37);
    expect(pagesOf(engine).restore(0, 37, [middle!, ...end])).toBe('done');
    engine.sharePrefix(0, 1, 85);
    await compute(engine, 1, PROMPT.subarray(85));
    expect(savePages(engine, 1, 0, 5)).toEqual(saved.slice(0, 5));
    empty(engine);
  });

  it('come back in part, without what stands before and behind', async () => {
    await compute(engine, 0, PROMPT);
    const [middle] = savePages(engine, 0, 37, 1);
    // The first token, the last one, some in between, all.
    for (const [from, to] of [
      [37, 38],
      [52, 53],
      [41, 49],
      [37, 53],
    ] as const) {
      engine.sharePrefix(0, 1, from);
      expect(pagesOf(engine).restorePart(1, from, to, middle!, 37)).toBe('done');
      expect([engine.sequenceLength(1), engine.cellsInUse]).toEqual([to, 96 + to - from]);
      expect(savePages(engine, 1, to - 16, 1)).toEqual(savePages(engine, 0, to - 16, 1));
      engine.truncateSequence(1, 0);
    }
    empty(engine);
  });

  it('fill holes between the cells of others', async () => {
    // Two sequences, token by token: their cells alternate.
    const others = [tokens(100, 5), tokens(100, 6)];
    for (let at = 0; at < 100; at += 20) {
      engine.batch.clear();
      for (let i = at; i < at + 20; i++) {
        for (const [sequence, other] of others.entries()) engine.batch.add(other[i]!, i, sequence, false);
      }
      expect(await engine.decode()).toBe('done');
    }
    const kept = savePages(engine, 1, 0, PAGES);
    engine.truncateSequence(0, 0);
    expect(pagesOf(engine).restore(3, 0, saved)).toBe('done');
    expect(savePages(engine, 3, 0, PAGES)).toEqual(saved);
    expect(await continuation(engine, 3, NEXT)).toEqual(expected);
    expect(savePages(engine, 1, 0, PAGES)).toEqual(kept);
    empty(engine);
  });

  it('are the same when their cells are not in the order of their positions', async () => {
    // The end of the sequence takes the cells that were freed before those of its beginning.
    await compute(engine, 0, tokens(30, 8));
    expect(pagesOf(engine).restore(1, 0, saved.slice(0, 2))).toBe('done');
    await compute(engine, 2, tokens(30, 9));
    engine.truncateSequence(0, 10);
    expect(pagesOf(engine).restore(1, 32, saved.slice(2))).toBe('done');
    expect(savePages(engine, 1, 0, PAGES)).toEqual(saved);
    // Pages that lie across the border.
    const across = savePages(engine, 1, 24, 4);
    engine.truncateSequence(1, 24);
    expect(pagesOf(engine).restore(1, 24, across)).toBe('done');
    engine.truncateSequence(0, 0);
    expect(savePages(engine, 1, 24, 4)).toEqual(across);
    expect(savePages(engine, 1, 0, 5)).toEqual(saved.slice(0, 5));
    empty(engine);
  });

  it('of a shared prefix are those of the sequence that computed it', async () => {
    await compute(engine, 0, PROMPT);
    engine.sharePrefix(0, 3, 90);
    engine.truncateSequence(0, 60);
    expect(savePages(engine, 3, 0, 5)).toEqual(saved.slice(0, 5));
    expect(savePages(engine, 0, 0, 3)).toEqual(saved.slice(0, 3));
    empty(engine);
  });

  it('fit into parts of larger buffers, shared ones too', async () => {
    const { bytes } = pagesOf(engine);
    for (const buffer of [new ArrayBuffer(3 + PAGES * bytes), new SharedArrayBuffer(3 + PAGES * bytes)]) {
      await compute(engine, 0, PROMPT);
      const views = saved.map((_, i) => new Uint8Array(buffer, 3 + i * bytes, bytes));
      pagesOf(engine).save(0, 0, views);
      expect(Buffer.compare(Buffer.concat(views), Buffer.concat(saved))).toBe(0);
      empty(engine);
      expect(pagesOf(engine).restore(0, 0, views)).toBe('done');
      expect(savePages(engine, 0, 0, PAGES)).toEqual(saved);
      empty(engine);
    }
  });

  it('of another process are as good as its own', { timeout: 30_000 }, async () => {
    const script = new URL('../support/print-pages.ts', import.meta.url).pathname;
    const args = [script, JSON.stringify(await engineOptions(name, options)), JSON.stringify([...PROMPT])];
    const { stdout } = await run(process.execPath, args, { encoding: 'buffer', maxBuffer: 1 << 26 });
    const { bytes } = pagesOf(engine);
    const foreign = saved.map((_, i) => stdout.subarray(i * bytes, (i + 1) * bytes));
    expect(stdout.length).toBe(PAGES * bytes);
    expect(pagesOf(engine).restore(1, 0, foreign)).toBe('done');
    expect(await continuation(engine, 1, NEXT)).toEqual(expected);
    empty(engine);
  });
});

describe('pages', () => {
  it('are of the same format in engines that can exchange them, and only there', async () => {
    const formats = new Map<string, string[]>();
    for (const [title, name, options] of [
      ['first', 'tiny', {}],
      ['other limits', 'tiny', { cells: 300, sequences: 2, batchTokens: 32 }],
      ['other size', 'tiny', { pageSize: 8 }],
      ['other model', 'tiny-qwen2', {}],
      ['other KV', 'tiny-qwen2', { kvCacheType: 'q8_0' }],
    ] as [string, ModelName, Partial<LlamaEngineOptions>][]) {
      const engine = await openEngine(name, options);
      const { format } = pagesOf(engine);
      formats.set(format, [...(formats.get(format) ?? []), title]);
      await engine.close();
    }
    expect([...formats.values()]).toEqual([
      ['first', 'other limits'],
      ['other size'],
      ['other model'],
      ['other KV'],
    ]);
  });

  it('larger than all cells can be asked for, and find no room', async () => {
    const engine = await openEngine('tiny', { cells: 32, pageSize: 64 });
    await compute(engine, 0, tokens(20));
    expect(() => savePages(engine, 0, 0, 1)).toThrow('holds 20 positions, not 64');
    const large = await openEngine('tiny', { pageSize: 64 });
    await compute(large, 0, tokens(64));
    expect(pagesOf(engine).restore(1, 0, savePages(large, 0, 0, 1))).toBe('no-room');
    await engine.close();
    await large.close();
  });

  it('are not touched while the engine decodes or when it is closed', async () => {
    const engine = await openEngine('tiny');
    await compute(engine, 0, PROMPT);
    const saved = savePages(engine, 0, 0, 1);
    const pages = pagesOf(engine);
    engine.batch.clear();
    add(engine, 0, tokens(100));
    const decode = engine.decode();
    expect(() => pages.save(0, 0, emptyPages(engine, 1))).toThrow('decoding');
    expect(() => pages.restore(1, 0, saved)).toThrow('decoding');
    await decode;
    await engine.close();
    expect(() => pages.save(0, 0, saved)).toThrow('closed');
    expect(() => pages.restore(1, 0, saved)).toThrow('closed');
  });
});
