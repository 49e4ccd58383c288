import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GGMLQuantizationType, gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GgufFile, type GgufTensor, writeGguf } from '../../src/models/gguf-writer.ts';
import { noise, tensor } from '../../src/models/weights.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tierkv-gguf-'));
});
afterAll(() => rm(folder, { recursive: true }));

const tensors: GgufTensor[] = [
  tensor('test', 'bias', 'f32', [5], noise(1)),
  tensor('test', 'half', 'f16', [3, 7], noise(1)),
  tensor('test', 'eight', 'q8_0', [64, 3], noise(1)),
  tensor('test', 'four', 'q4_0', [32, 2, 2], noise(1)),
];

const content: GgufFile = {
  metadata: {
    'general.architecture': { type: 'string', value: 'llama' },
    'test.u32': { type: 'u32', value: 0xffffffff },
    'test.i32': { type: 'i32', value: -5 },
    'test.f32': { type: 'f32', value: 0.25 },
    'test.yes': { type: 'bool', value: true },
    'test.no': { type: 'bool', value: false },
    'test.string': { type: 'string', value: 'naïve 🙂' },
    'test.empty': { type: 'strings', value: [] },
    'test.strings': { type: 'strings', value: ['a', '', 'é'] },
    'test.i32s': { type: 'i32s', value: [-1, 0, 2_000_000_000] },
    'test.f32s': { type: 'f32s', value: [0.5, -2] },
  },
  tensors,
};

describe('a written GGUF file', () => {
  it('is read back by another reader as it was written', async () => {
    const path = join(folder, 'all.gguf');
    await writeGguf(path, content);
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });

    expect(metadata).toMatchObject({ version: 3, tensor_count: 4n, kv_count: 11n });
    for (const [key, { value }] of Object.entries(content.metadata)) {
      expect((metadata as Record<string, unknown>)[key], key).toEqual(value);
    }
    expect(tensorInfos.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual([
      { name: 'bias', shape: [5n], dtype: GGMLQuantizationType.F32 },
      { name: 'half', shape: [3n, 7n], dtype: GGMLQuantizationType.F16 },
      { name: 'eight', shape: [64n, 3n], dtype: GGMLQuantizationType.Q8_0 },
      { name: 'four', shape: [32n, 2n, 2n], dtype: GGMLQuantizationType.Q4_0 },
    ]);

    const bytes = await readFile(path);
    expect(Number(tensorDataOffset) % 32).toBe(0);
    for (const [i, info] of tensorInfos.entries()) {
      const data = tensors[i]!.data();
      const start = Number(tensorDataOffset) + Number(info.offset);
      expect(start % 32).toBe(0);
      expect(bytes.subarray(start, start + data.length).equals(data), info.name).toBe(true);
    }
    expect(bytes.length % 32).toBe(0);
  });

  it('tells how far it is', async () => {
    const seen: number[] = [];
    await writeGguf(join(folder, 'progress.gguf'), content, (fraction) => seen.push(fraction));
    expect(seen).toHaveLength(4);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  it('is not there, nor anything else, when a tensor has the wrong number of bytes', async () => {
    const empty = await mkdtemp(join(folder, 'failed-'));
    const wrong: GgufTensor = { name: 'short', type: 'f32', shape: [4], data: () => new Uint8Array(15) };
    await expect(writeGguf(join(empty, 'x.gguf'), { ...content, tensors: [wrong] })).rejects.toThrow(
      'short has 15 bytes of data, not 16',
    );
    expect(await readdir(empty)).toEqual([]);
  });
});
