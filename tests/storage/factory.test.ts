import { globSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { defaultFolder } from '../../src/storage/drivers/file/options.ts';
import { createDriver, listBackends } from '../../src/storage/factory.ts';

afterEach(() => void vi.unstubAllEnvs());

test('an unknown backend is refused with the names of the known ones', () => {
  const known = listBackends()
    .map(({ name }) => name)
    .join(', ');
  for (const name of ['nosuch', '', 'toString', '__proto__'])
    expect(() => createDriver(name, {})).toThrow(
      expect.objectContaining({
        code: 'storage_unknown_backend',
        message: `There is no storage backend '${name}'; known are: ${known}.`,
      }),
    );
});

test.each([
  ['eic', ['redis']],
  ['aibrix', ['redis']],
  ['nixl', ['file', 's3']],
  ['simm', ['mooncake', 'redis']],
  ['mori', ['mooncake', 'redis']],
])('%s is refused with what to use instead, which a plugin always is', (name, instead) => {
  const message = refusalOf(name);
  expect(message).toContain(`'${name}' is not available: `);
  const named = [...message.matchAll(/'(\w+)'/g)].map(([, quoted]) => quoted);
  expect(named).toEqual([name, ...instead, 'dynamic']);
});

function refusalOf(name: string): string {
  try {
    createDriver(name, {});
  } catch (error) {
    expect(error).toMatchObject({ code: 'storage_unknown_backend' });
    return (error as Error).message;
  }
  return expect.unreachable('it is available');
}

test.each<[unknown, string]>([
  [
    { pth: '/x' },
    "'pth' is not known here; known are: path, max_size, min_free_space, eviction_ratio, enable_metadata_cache, metadata_ttl, direct_io.",
  ],
  [{ path: '' }, "'path' must not have fewer than 1 characters."],
  [{ path: 3 }, "'path' must be string."],
  [{ max_size: '20 apples' }, '\'max_size\' must be a number of bytes or a text such as "20GB" or "4GiB".'],
  [{ max_size: -5 }, '\'max_size\' must be a number of bytes or a text such as "20GB" or "4GiB".'],
  [{ max_size: 1.5 }, '\'max_size\' must be a number of bytes or a text such as "20GB" or "4GiB".'],
  [{ max_size: true }, "'max_size' must be number or string."],
  [{ max_size: 0 }, "'max_size' must be more than 0."],
  [{ eviction_ratio: 2 }, "'eviction_ratio' must be <= 1."],
  [{ metadata_ttl: -1 }, "'metadata_ttl' must be >= 0."],
  [{ enable_metadata_cache: 'yes' }, "'enable_metadata_cache' must be boolean."],
  [[], 'its options must be object.'],
  [undefined, 'its options must be object.'],
])('the file backend refuses %j, and says where and why', (config, problem) => {
  expect(() => createDriver('file', config)).toThrow(
    expect.objectContaining({ code: 'storage_config', message: `Storage backend 'file': ${problem}` }),
  );
});

test('a refusal never repeats a value: it may be a secret', () => {
  for (const config of [{ max_size: 'hunter2' }, { path: ['hunter2'] }, { metadata_ttl: 'hunter2' }])
    expect(() => createDriver('file', config)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
});

test('pages are kept where SGLang keeps them if it is told where, else in the cache folder', () => {
  vi.stubEnv('SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR', '');
  vi.stubEnv('TIERKV_CACHE_DIR', '/cache');
  expect(defaultFolder()).toBe(path.join('/cache', 'pages'));
  vi.stubEnv('TIERKV_CACHE_DIR', '');
  expect(defaultFolder().startsWith(homedir()) || process.env.XDG_CACHE_HOME !== undefined).toBe(true);
  vi.stubEnv('SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR', '/elsewhere');
  expect(defaultFolder()).toBe('/elsewhere');
});

test('client libraries are loaded when their driver is opened, not before', async () => {
  const source = path.join(import.meta.dirname, '../../src');
  const libraries = ['@redis/client', '@aws-sdk/client-s3', 'lmdb'];
  for (const library of libraries) {
    const files = globSync('**/*.ts', { cwd: source }).filter((file) =>
      new RegExp(`^import (?!type )[^;]*'${library}'`, 'm').test(
        readFileSync(path.join(source, file), 'utf8'),
      ),
    );
    expect(files, library).toEqual([]);
  }
});
