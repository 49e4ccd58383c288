import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeGguf } from '../../src/models/gguf-writer.ts';
import { fingerprint, type ModelName, model, RECIPES } from '../../src/models/recipes.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tierkv-recipes-'));
});
afterAll(() => rm(folder, { recursive: true }));

const NAMES = Object.keys(RECIPES) as ModelName[];
/** Bench's 200 MB are not worth the time; it shares all code with the others. */
const LIGHT = NAMES.filter((name) => name !== 'bench');

async function written(name: ModelName, file: string): Promise<string> {
  const path = join(folder, file);
  await writeGguf(path, model(name));
  return path;
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

describe('a recipe', () => {
  it('gives the same bytes each time', async () => {
    expect(await sha256(await written('tiny', 'a.gguf'))).toBe(await sha256(await written('tiny', 'b.gguf')));
  });

  it.each(LIGHT)('%s still gives the bytes of its version', async (name) => {
    // When this fails for a wanted change, raise VERSION in recipes.ts and take the new values.
    const hash = (await sha256(await written(name, `${name}.gguf`))).slice(0, 16);
    expect(`${fingerprint(name)} ${hash}`).toMatchSnapshot();
  });

  it('has a fingerprint of its own', () => {
    expect(new Set(NAMES.map(fingerprint)).size).toBe(NAMES.length);
  });

  it('bench has about 200 million parameters, and 24 KiB of keys and values a token', () => {
    const { tensors } = model('bench');
    const parameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(parameters / 1e6).toBeCloseTo(197, 0);
    const { layers, width, heads, kvHeads } = RECIPES.bench;
    expect(layers * 2 * (width / heads) * kvHeads * 2).toBe(24 * 1024);
  });

  it('says in the metadata what a loader has to know', async () => {
    const { metadata } = await gguf(await written('tiny-qwen2', 'qwen2.gguf'), { allowLocalFile: true });
    expect(metadata).toMatchObject({
      'general.architecture': 'qwen2',
      'qwen2.block_count': 4,
      'qwen2.context_length': 8192,
      'qwen2.attention.head_count_kv': 2,
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'qwen2',
      'tokenizer.ggml.eos_token_id': 1021,
      'tokenizer.ggml.add_bos_token': false,
    });
  });

  it('unknown-arch has an architecture that nobody knows', () => {
    const { metadata } = model('unknown-arch');
    expect(metadata['general.architecture']).toEqual({ type: 'string', value: 'nosucharch' });
    expect(metadata['nosucharch.block_count']).toEqual({ type: 'u32', value: 2 });
  });
});
