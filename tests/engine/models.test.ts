import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveModelPath } from '../../src/engine/llama/model-file.ts';
import { openVocabulary } from '../../src/engine/llama/vocabulary.ts';
import type { ModelName } from '../../src/models/recipes.ts';
import { ensureModel } from '../../src/models/store.ts';
import { openEngine, sampled, tokens } from '../support/tiny-engine.ts';

describe('a model', () => {
  const paging: [ModelName, string | undefined][] = [
    ['tiny', undefined],
    ['tiny-qwen2', undefined],
    ['tiny-q4', undefined],
    ['swa', 'it attends through a sliding window'],
    ['recurrent', 'its state is recurrent'],
    ['mrope', 'its positions have several dimensions (M-RoPE)'],
  ];
  it.for(paging)('like %s generates, and says whether its KV can be paged', async ([name, reason]) => {
    const engine = await openEngine(name, { batchTokens: 256 });
    expect(engine.model.paging).toEqual(reason ? { supported: false, reason } : { supported: true });
    expect(engine.model).toMatchObject({ vocabularySize: 1024, device: 'CPU' });
    expect(engine.cellsInUse).toBe(0);
    const first = await sampled(engine, tokens(150), 100);
    expect(first).toHaveLength(100);
    expect(await sampled(engine, tokens(150), 100)).toEqual(first);
    expect(engine.cellsInUse).toBe(0);
    await engine.close();
  });

  it('tells of its loading', async () => {
    const fractions: number[] = [];
    const engine = await openEngine('tiny', { onProgress: (fraction) => fractions.push(fraction) });
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    await engine.close();
  });

  it('that only computes embeddings is refused', async () => {
    const expected = { code: 'model_unsupported', message: expect.stringContaining('embeddings only') };
    await expect(openEngine('embedding')).rejects.toMatchObject(expected);
    await expect(openVocabulary(await ensureModel('embedding'), 'off')).rejects.toMatchObject(expected);
  });

  it('of an architecture that the library does not know is refused by name', async () => {
    await expect(openVocabulary(await ensureModel('unknown-arch'), 'off')).rejects.toMatchObject({
      code: 'model_file',
      message: expect.stringContaining("unknown model architecture: 'nosucharch'"),
    });
    await expect(openEngine('unknown-arch')).rejects.toMatchObject({ code: 'model_file' });
  });
});

describe('a model file', () => {
  let folder: string;
  let good: Buffer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tierkv-models-'));
    good = await readFile(await ensureModel('tiny'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const refusal = async (content: Uint8Array | string | undefined) => {
    const path = join(folder, 'model.gguf');
    await rm(path, { force: true });
    if (content !== undefined) await writeFile(path, content);
    const errors = await Promise.all(
      [openVocabulary(path, 'off'), openEngine('tiny', { modelPath: path })].map((opening) =>
        opening.then(
          () => undefined,
          (error: { code: string; message: string }) => error,
        ),
      ),
    );
    for (const error of errors) expect(error).toMatchObject({ code: 'model_file' });
    expect(errors[0]?.message.startsWith(`${path}: `)).toBe(true);
    return errors[0]?.message.slice(path.length + 2);
  };

  it('that is missing, empty or something else is refused with the reason', async () => {
    expect(await refusal(undefined)).toBe('there is no such file');
    expect(await refusal('')).toBe('the file is empty');
    expect(await refusal('GG')).toBe('this is not a GGUF file');
    expect(await refusal('<!doctype html>')).toBe('this is not a GGUF file');
  });

  it("that was cut off is refused with the library's reason", async () => {
    expect(await refusal(good.subarray(0, 6))).toBe('failed to read header');
    expect(await refusal(good.subarray(0, 5000))).toBe('failed to read key-value pairs');
    for (const size of [100_000, good.length / 2, good.length - 1]) {
      expect(await refusal(good.subarray(0, size))).toMatch(
        /^tensor '.+' data is not within the file bounds/,
      );
    }
  });

  it('that is damaged in its head is refused, and ends nothing', async () => {
    for (const at of [4, 8, 16, 24, 40]) {
      const damaged = Buffer.from(good.subarray(0, 1 << 20));
      damaged.fill(0xff, at, at + 8);
      expect(await refusal(damaged)).toBeTruthy();
    }
  });

  it('that is a folder is refused, unless its one model is meant', async () => {
    const expected = { code: 'model_file', message: `${folder}: this is a folder` };
    await expect(openVocabulary(folder, 'off')).rejects.toMatchObject(expected);
    await expect(openEngine('tiny', { modelPath: folder })).rejects.toMatchObject(expected);
  });

  it('is found in a folder that holds one model', async () => {
    const models = join(folder, 'models');
    await mkdir(models);
    const found = () => resolveModelPath(models);
    await expect(resolveModelPath(join(models, 'no.gguf'))).rejects.toThrow('there is no such file');
    await expect(found()).rejects.toThrow('the folder holds no .gguf file');
    await writeFile(join(models, 'README.md'), '');
    for (const part of [1, 2, 3]) await writeFile(join(models, `big-0000${part}-of-00003.gguf`), '');
    expect(await found()).toBe(join(models, 'big-00001-of-00003.gguf'));
    await writeFile(join(models, 'other.gguf'), '');
    await expect(found()).rejects.toThrow('several models: big-00001-of-00003.gguf, other.gguf');
    expect(await resolveModelPath(join(models, 'other.gguf'))).toBe(join(models, 'other.gguf'));
  });
});
