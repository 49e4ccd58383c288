import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectLibrary } from '../../src/engine/llama/inspect-library.ts';
import { findLibrary, installedKinds, LIBRARY_VERSION } from '../../src/engine/llama/library.ts';
import { loadLibrary } from '../../src/engine/llama/load.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tierkv-library-'));
});
afterAll(() => rm(folder, { recursive: true }));

const find = (own: string) => findLibrary('auto', { TIERKV_LLAMA_LIB_DIR: own });

/** A folder with files of these names and nothing in them. */
async function withFiles(name: string, files: string[]): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  for (const file of files) await writeFile(join(path, file), '');
  return path;
}

describe("the operator's own library", () => {
  it('is found under the names of every kind and platform', async () => {
    const names = [
      ['libggml-base.so', 'libggml.so', 'libllama.so'],
      ['libggml-base.so', 'libggml.v0.5.0.so', 'libllama.cuda.v0.5.0.so'],
      ['libggml-base.dylib', 'libggml.metal.dylib', 'libllama.dylib'],
      ['ggml-base.dll', 'ggml.dll', 'llama.dll'],
    ];
    for (const [i, files] of names.entries()) {
      const own = await withFiles(`kind-${i}`, [...files, 'libllama-common.so', 'libggml-cpu.so', 'README']);
      const { base, ggml, llama, source } = find(own);
      expect([base, ggml, llama]).toEqual(files.map((file) => join(own, file)));
      expect(source).toBe('TIERKV_LLAMA_LIB_DIR');
    }
  });

  it('is refused where there is no folder, or not everything in it', async () => {
    const missing = (message: string) =>
      expect.objectContaining({ code: 'library_missing', message: expect.stringContaining(message) });
    const nowhere = join(folder, 'nowhere');
    expect(() => find(nowhere)).toThrow(missing(`TIERKV_LLAMA_LIB_DIR: there is no folder ${nowhere}`));
    const empty = await withFiles('empty', []);
    expect(() => find(empty)).toThrow(missing(`no ggml-base library in ${empty}`));
    const half = await withFiles('half', ['libggml-base.so', 'libggml.so']);
    expect(() => find(half)).toThrow(missing(`no llama library in ${half}`));
    const file = join(half, 'libggml.so');
    expect(() => find(file)).toThrow(missing('there is no folder'));
  });

  it('is refused when it is no library at all', async () => {
    const own = await withFiles('damaged', ['libggml-base.so', 'libggml.so', 'libllama.so']);
    expect(() => loadLibrary(find(own))).toThrow(
      expect.objectContaining({ code: 'library_missing', message: expect.stringContaining('Cannot load') }),
    );
  });
});

describe('the library of the package', () => {
  it('is the version that was asked for, and is loaded once', () => {
    const location = findLibrary('off', {});
    expect(loadLibrary(location)).toBe(loadLibrary(location));
    expect(inspectLibrary(location)).toMatchObject({
      version: expect.stringContaining(LIBRARY_VERSION),
      kind: 'off',
      devices: expect.arrayContaining([expect.objectContaining({ type: 'cpu' })]),
    });
  });

  it('cannot be joined by another one in the same process', async () => {
    loadLibrary(findLibrary('off', {}));
    const other = await withFiles('other', ['libggml-base.so', 'libggml.so', 'libllama.so']);
    expect(() => loadLibrary(find(other))).toThrow(expect.objectContaining({ code: 'library_mismatch' }));
  });

  it('of a kind that is not installed is named with the command that installs it', () => {
    for (const { kind, packageName, installed } of installedKinds()) {
      if (installed) expect(findLibrary(kind, {}).source).toBe(packageName);
      else expect(() => findLibrary(kind, {})).toThrow(`npm install ${packageName}@`);
    }
  });

  it('of a kind that does not exist on this platform is said to be missing', () => {
    const kinds = new Set(installedKinds().map(({ kind }) => kind));
    for (const kind of (['cuda', 'vulkan', 'metal', 'off'] as const).filter((kind) => !kinds.has(kind))) {
      expect(() => findLibrary(kind, {})).toThrow('There is no prebuilt llama.cpp with');
    }
  });
});
