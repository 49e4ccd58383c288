import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FingerprintMode, modelFingerprint } from '../../src/engine/llama/model-fingerprint.ts';
import { sampleRanges } from '../../src/engine/llama/model-samples.ts';
import { type GgufValue, writeGguf } from '../../src/models/gguf-writer.ts';
import { noise, tensor } from '../../src/models/weights.ts';

const BLOCK = 4096;
const PARTS = { kvType: 'f16', pageSize: 64, ropeFrequencyBase: 10_000, format: 'state-1' };
const MODES: FingerprintMode[] = ['sample', 'full'];

let folder: string;
let model: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tierkv-fingerprint-'));
  vi.stubEnv('TIERKV_CACHE_DIR', join(folder, 'cache'));
  model = join(folder, 'model.gguf');
  await write(model);
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A model with tensors that are read whole and others that are sampled; about 2.5 MB. */
async function write(path: string, metadata: Record<string, GgufValue> = {}): Promise<void> {
  await writeGguf(path, {
    metadata: {
      'general.architecture': { type: 'string', value: 'llama' },
      'llama.rope.freq_base': { type: 'f32', value: 10_000 },
      ...metadata,
    },
    tensors: [
      tensor('test', 'norm', 'f32', [1024], noise(1)),
      tensor('test', 'half', 'f16', [1024, 1024], noise(1)),
      tensor('test', 'eight', 'q8_0', [1024, 300], noise(1)),
      tensor('test', 'bias', 'f32', [3], noise(1)),
    ],
  });
}

async function changeByte(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, offset);
  byte[0]! ^= 1;
  await file.write(byte, 0, 1, offset);
  await file.close();
}

/** First and last byte of every tensor in a file. */
async function tensorEnds(path: string): Promise<{ first: number; last: number }[]> {
  const { tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
  const bytes = [4096, 2 << 20, (1024 / 32) * 34 * 300, 12];
  return tensorInfos.map(({ offset }, i) => {
    const first = Number(tensorDataOffset + offset);
    return { first, last: first + bytes[i]! - 1 };
  });
}

const sampled = (path = model) => modelFingerprint(path, 'sample', PARTS);
const whole = (path = model) => modelFingerprint(path, 'full', PARTS);

describe('W3: KV of old weights served after an update: the fingerprint', () => {
  it('is 64 digits, the same at every call, and another one in each mode', async () => {
    const [one, other] = [await sampled(), await whole()];
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    expect(other).toMatch(/^[0-9a-f]{64}$/);
    expect(one).not.toBe(other);
    expect([await sampled(), await whole()]).toEqual([one, other]);
  });

  it('changes with the first and the last byte of every tensor', async () => {
    const seen = new Set([await sampled()]);
    const ends = await tensorEnds(model);
    expect(ends).toHaveLength(4);
    for (const { first, last } of ends) {
      for (const offset of [first, last]) {
        await changeByte(model, offset);
        seen.add(await sampled());
      }
    }
    expect(seen.size).toBe(9);
  });

  it('changes with any byte in a sampled block', async () => {
    const before = await sampled();
    const ends = await tensorEnds(model);
    const ranges = sampleRanges(
      ends.map(({ first }, i) => ({ start: first, length: (ends[i + 1]?.first ?? first + 32) - first })),
    );
    for (const { start, length } of ranges.slice(0, -1)) {
      await changeByte(model, start + Math.floor(length / 2));
      expect(await sampled()).not.toBe(before);
      await changeByte(model, start + Math.floor(length / 2));
    }
    expect(await sampled()).toBe(before);
  });

  it('in full mode changes with any byte of the file', async () => {
    const before = await whole();
    const { size } = await stat(model);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(size - 1).filter((offset) => offset >= 4),
        async (offset) => {
          await changeByte(model, offset);
          expect(await whole()).not.toBe(before);
          await changeByte(model, offset);
        },
      ),
      { numRuns: 20 },
    );
    expect(await whole()).toBe(before);
  });

  it.each(MODES)('changes with metadata, and with the size of the file (%s)', async (mode) => {
    const of = (path: string) => modelFingerprint(path, mode, PARTS);
    const seen = [await of(model)];
    await write(model, { 'llama.rope.freq_base': { type: 'f32', value: 10_001 } });
    seen.push(await of(model));
    await write(model, { 'llama.rope.scaling.type': { type: 'string', value: 'yarn' } });
    seen.push(await of(model));
    await appendFile(model, Buffer.alloc(32));
    seen.push(await of(model));
    expect(new Set(seen).size).toBe(4);
  });

  it.each(MODES)('changes with every part that the caller names, not with their order (%s)', async (mode) => {
    const of = (parts: Record<string, string | number>) => modelFingerprint(model, mode, parts);
    const all = await Promise.all([
      of(PARTS),
      of({ ...PARTS, kvType: 'q8_0' }),
      of({ ...PARTS, pageSize: 16 }),
      of({ ...PARTS, pageSize: '64' }),
      of({ ...PARTS, ropeFrequencyBase: 10_000.5 }),
      of({ ...PARTS, format: 'state-2' }),
      of({ ...PARTS, more: '' }),
      of({}),
    ]);
    expect(new Set(all).size).toBe(all.length);
    expect(await of(Object.fromEntries(Object.entries(PARTS).reverse()))).toBe(all[0]);
  });

  it.each(MODES)('stays when the model is copied, renamed or touched (%s)', async (mode) => {
    const of = (path: string) => modelFingerprint(path, mode, PARTS);
    const before = await of(model);
    const copy = join(folder, 'elsewhere.gguf');
    await copyFile(model, copy);
    expect(await of(copy)).toBe(before);
    await utimes(copy, 1, 1);
    expect(await of(copy)).toBe(before);
    await rename(copy, model);
    expect(await of(model)).toBe(before);
  });

  it.each(MODES)('is of all files of a model (%s)', async (mode) => {
    const parts = [1, 2, 3].map((i) => join(folder, `big-0000${i}-of-00003.gguf`));
    for (const part of parts) await copyFile(model, part);
    const of = () => modelFingerprint(parts[0]!, mode, PARTS);
    const before = await of();
    const { size } = await stat(model);
    for (const part of parts) {
      await changeByte(part, size - 32);
      expect(await of()).not.toBe(before);
      await changeByte(part, size - 32);
    }
    await rm(parts[2]!);
    await expect(of()).rejects.toMatchObject({
      code: 'model_file',
      message: `${parts[2]}: there is no such file`,
    });
  });
});

describe('the samples', () => {
  it('of any size of file are few, and take every tensor’s first and last block', () => {
    const length = 2 ** 30;
    for (const count of [1, 300, 1500]) {
      const tensors = Array.from({ length: count }, (_, i) => ({ start: 100 + i * length, length }));
      const ranges = sampleRanges(tensors);
      expect(ranges.length).toBeLessThanOrEqual(4096);
      const starts = new Set(ranges.map((range) => range.start));
      for (const { start } of tensors) {
        expect(starts).toContain(start);
        expect(starts).toContain(start + length - BLOCK);
      }
    }
  });
});

describe('the hash of a whole file', () => {
  /** How often progress is reported: once when the file is not read. */
  async function reports(): Promise<number> {
    const seen: number[] = [];
    await modelFingerprint(model, 'full', PARTS, { onProgress: (fraction) => seen.push(fraction) });
    expect(seen.toSorted((one, other) => one - other)).toEqual(seen);
    expect(seen.at(-1)).toBe(1);
    return seen.length;
  }

  it('is kept until the file changes, and not while it is new: times are coarse', async () => {
    expect(await reports()).toBeGreaterThan(1);
    expect(await reports()).toBeGreaterThan(1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    const before = await whole();
    expect(await reports()).toBe(1);
    expect(await whole()).toBe(before);
    // Also when its size and time of modification are the old ones.
    const { atime, mtime } = await stat(model);
    await changeByte(model, 100_000);
    await utimes(model, atime, mtime);
    expect(await whole()).not.toBe(before);
  });

  it('is computed again when what was kept is damaged, and when nothing can be kept', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    const before = await whole();
    const hashes = join(folder, 'cache', 'file-hashes');
    const [note = ''] = await readdir(hashes);
    await truncate(join(hashes, note), 80);
    expect(await whole()).toBe(before);
    await rm(join(folder, 'cache'), { recursive: true });
    await writeFile(join(folder, 'cache'), 'in the way');
    expect(await whole()).toBe(before);
  });
});

describe('a model that cannot be read', () => {
  it.each(MODES)('is refused with the reason (%s)', async (mode) => {
    const of = (path: string) => modelFingerprint(path, mode, PARTS);
    await expect(of(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'model_file' });
    await mkdir(join(folder, 'dir.gguf'));
    await expect(of(join(folder, 'dir.gguf'))).rejects.toMatchObject({ code: 'model_file' });
    await writeFile(model, 'GGML');
    await expect(of(model)).rejects.toMatchObject({
      code: 'model_file',
      message: `${model}: this is not a GGUF file`,
    });
  });

  it('is refused when a file ends in its header or before its last tensor', async () => {
    const [norm] = await tensorEnds(model);
    for (const size of [norm!.first + 10, norm!.first - 1, 200, 24, 5]) {
      await truncate(model, size);
      await expect(sampled(), `${size} bytes`).rejects.toMatchObject({ code: 'model_file' });
    }
  });

  it.each(MODES)('ends with the signal’s reason when it is given up (%s)', async (mode) => {
    const reason = new Error('enough');
    await expect(modelFingerprint(model, mode, PARTS, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const controller = new AbortController();
    const onProgress = () => controller.abort(reason);
    await expect(
      modelFingerprint(model, mode, PARTS, { signal: controller.signal, onProgress }),
    ).rejects.toBe(reason);
  });
});
