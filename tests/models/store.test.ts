import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureModel, modelPath, modelsFolder } from '../../src/models/store.ts';

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../../src/cli/models.ts');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tierkv-store-'));
  vi.stubEnv('TIERKV_CACHE_DIR', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

describe('the store', () => {
  it('is in the named folder, else in the cache folder of the user', () => {
    expect(modelsFolder()).toBe(join(folder, 'models'));
    vi.stubEnv('TIERKV_CACHE_DIR', '');
    expect(modelsFolder()).toMatch(/tierkv[\\/]models$/);
    if (process.platform !== 'linux') return;
    vi.stubEnv('XDG_CACHE_HOME', '/caches');
    expect(modelsFolder()).toBe('/caches/tierkv/models');
  });

  it('makes a model once for all who ask at once', async () => {
    const seen: number[] = [];
    const paths = await Promise.all(
      Array.from({ length: 4 }, () =>
        ensureModel('mrope', { onProgress: (fraction) => seen.push(fraction) }),
      ),
    );
    expect(new Set(paths)).toEqual(new Set([modelPath('mrope')]));
    expect(await readdir(modelsFolder())).toHaveLength(1);
    expect(seen.filter((fraction) => fraction === 1)).toHaveLength(1);
  });

  it('leaves a file that is there alone', async () => {
    const path = await ensureModel('mrope');
    const before = await stat(path, { bigint: true });
    const onProgress = vi.fn();
    await ensureModel('mrope', { onProgress });
    expect((await stat(path, { bigint: true })).mtimeNs).toBe(before.mtimeNs);
    expect(onProgress).not.toHaveBeenCalled();
  });

  it('can be filled by several processes at once', async () => {
    const runs = [1, 2, 3].map(() => run(process.execPath, [MAIN, '--json', 'tiny']));
    for (const { stdout } of await Promise.all(runs)) {
      expect(stdout).toBe(`${JSON.stringify({ tiny: modelPath('tiny') })}\n`);
    }
    expect(await readdir(modelsFolder())).toHaveLength(1);
  });

  it('tries again after a failure', async () => {
    await writeFile(join(folder, 'models'), 'in the way');
    await expect(ensureModel('mrope')).rejects.toThrow('EEXIST');
    await rm(join(folder, 'models'));
    await mkdir(join(folder, 'models'));
    expect(await ensureModel('mrope')).toBe(modelPath('mrope'));
  });
});

describe('the command', () => {
  it('prints a line for each model', async () => {
    const { stdout, stderr } = await run(process.execPath, [MAIN, 'mrope', 'swa']);
    expect(stdout).toMatch(/^mrope: .+ \(\d\.\d MB\)\nswa: .+ \(\d\.\d MB\)\n$/);
    expect(stderr).toBe('');
  });

  it('fails with one line and an exit code', async () => {
    await writeFile(join(folder, 'models'), 'in the way');
    await expect(run(process.execPath, [MAIN, '--json', 'tiny'])).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^The models could not be made: EEXIST.*\n$/),
    });
    await expect(run(process.execPath, [MAIN, 'huge'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*'huge' is invalid.*\n$/),
    });
  });
});
