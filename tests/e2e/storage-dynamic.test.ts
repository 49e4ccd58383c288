/** A plugin of the operator's behind a real server: attached, upgraded and failing while it serves. */
import { copyFile, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startSharedServer, words } from '../support/cache-server.ts';
import { tierkv } from '../support/command.ts';
import {
  expectSameAnswer,
  type GreedyAnswer,
  greedyTokens,
  startServer,
  type TestServer,
} from '../support/server.ts';
import {
  attachBody,
  call,
  detach,
  errorOf,
  flush,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const EXAMPLE = path.join(import.meta.dirname, '../../examples/storage-plugin/sqlite-pages.mjs');
const ANSWER = 8;

let plugins: string;
let data: string;
let server: TestServer;
beforeAll(async () => {
  [plugins, data] = [await temporaryFolder(), await temporaryFolder()];
  await copyFile(EXAMPLE, path.join(plugins, 'sqlite-pages.mjs'));
  server = await startSharedServer(
    ...WITH_ADMIN_KEY,
    '--hicache-dynamic-backend-dir',
    plugins,
    '--hicache-storage-prefetch-policy',
    'wait_complete',
  );
});
afterEach(() => detach(server, '?mode=live'));
afterAll(() => server?.kill());

const config = (more: object = {}) => ({
  backend_name: 'sqlite',
  module_path: 'sqlite-pages.mjs',
  class_name: 'SqlitePages',
  path: path.join(data, 'pages.db'),
  prefetch_threshold: 8,
  ...more,
});

function put(to: TestServer, settings: object, fields: object = {}) {
  return call(to, 'PUT', STORAGE, attachBody(settings, { hicache_storage_backend: 'dynamic', ...fields }));
}

async function ask(text: string): Promise<GreedyAnswer> {
  const answer = await greedyTokens(server, text, ANSWER);
  await server.expectIdle();
  return answer;
}

/** The answer when the prompt was computed, and when its pages came from the storage. */
async function throughStorage(seed: number): Promise<void> {
  const text = words(30, seed);
  const computed = await ask(text);
  await flush(server);
  const stored = await ask(text);
  expect(stored.cached.storage).toBeGreaterThan(0);
  expect(stored.cached.storage_backend).toBe('dynamic');
  expectSameAnswer(stored, computed);
}

describe('the example plugin', () => {
  it('keeps pages over a flush and over being attached again, and answers stay the same', async () => {
    expect(await put(server, config())).toMatchObject({ status: 200 });
    await throughStorage(1);
    expect((await detach(server)).status).toBe(200);
    await flush(server);
    expect((await put(server, config())).status).toBe(200);
    expect((await ask(words(30, 1))).cached.storage).toBeGreaterThan(0);
    const [rank] = (await storageStatus(server)).ranks;
    expect(rank).toMatchObject({ health: 'healthy', errors: 0 });
  });

  it('can be checked, listed and cleared', async () => {
    const url = ['--url', server.url];
    const key = { TIERKV_ADMIN_API_KEY: 'the-admin-key' };
    const flags = ['--extra-config', JSON.stringify(config()), ...url];
    const check = await tierkv(['storage', 'check', 'dynamic', ...flags], key);
    expect(check).toMatchObject({ code: 0, stderr: '' });
    expect(check.stdout).toContain('dynamic is open');
    expect((await put(server, config())).status).toBe(200);
    await throughStorage(2);
    const cleared = await tierkv(['storage', 'clear', ...url], key);
    expect(cleared).toMatchObject({ code: 0 });
    await flush(server);
    expect((await ask(words(30, 2))).cached.storage).toBe(0);
  });

  it('is upgraded under traffic: a switch loads what the file says by then', async () => {
    expect((await put(server, config())).status).toBe(200);
    const text = words(30, 3);
    const computed = await ask(text);
    const traffic = [4, 5, 6].map((seed) => greedyTokens(server, words(30, seed), ANSWER));
    const next = (await readFile(EXAMPLE, 'utf8')).replace(
      'async open() {',
      "async open() { (await import('node:fs')).writeFileSync(this.#options.path + '.next', '');",
    );
    await writeFile(path.join(plugins, 'sqlite-pages.mjs'), next);
    const fields = { switch: true, mode: 'live' };
    expect(await put(server, config({ backend_name: 'sqlite-2' }), fields)).toMatchObject({ status: 200 });
    expect(await readdir(data)).toContain('pages.db.next');
    for (const answer of await Promise.all(traffic)) expect(answer.tokens.length).toBeGreaterThan(0);
    await server.expectIdle();
    await flush(server);
    const stored = await ask(text);
    expect(stored.cached.storage).toBeGreaterThan(0);
    expectSameAnswer(stored, computed);
  });
});

describe('a plugin that is not to be loaded', () => {
  it('because it lies elsewhere is refused, and the message names the flag', async () => {
    await symlink(EXAMPLE, path.join(plugins, 'link.mjs'));
    for (const module_path of [EXAMPLE, '../sqlite-pages.mjs', 'link.mjs']) {
      const { message } = errorOf(await put(server, config({ module_path })), 400);
      expect(message).toMatch(/'module_path' must lie below the folder of --hicache-dynamic-backend-dir/);
    }
    expect((await storageStatus(server)).hicache_storage_backend).toBeNull();
  });

  it('because of its own options is refused with its own words, without secrets', async () => {
    const { message } = errorOf(await put(server, config({ path: undefined })), 400);
    expect(message).toContain(
      "sqlite: 'class_name' could not be made: 'path' must be the path of a database file",
    );
    const source = 'export function make({ password }) { throw new Error("no such user " + password); }';
    await writeFile(path.join(plugins, 'secret.mjs'), source);
    const secret = {
      module_path: 'secret.mjs',
      class_name: undefined,
      export: 'make',
      password: 'hunter2-swordfish',
    };
    expect(errorOf(await put(server, config(secret)), 400).message).toContain('no such user ***');
  });

  it.each([
    ['blocks its thread', 'for (;;);'],
    ['ends its process', 'process.exit(0);'],
    ['rejects what nobody waits for', 'Promise.reject(new Error("stray")); await new Promise(() => {});'],
  ])('because it %s leaves the rank as it was', async (_, source) => {
    await writeFile(path.join(plugins, 'bad.mjs'), source);
    const pids = await server.rankPids();
    errorOf(await put(server, config({ module_path: 'bad.mjs' }), { timeout: 20 }), 400);
    expect(await server.rankPids()).toEqual(pids);
    expect((await ask(words(10, 4))).tokens.length).toBeGreaterThan(0);
  });
});

describe('without the flag', () => {
  it('nothing is loaded: neither at runtime nor at start', async () => {
    const without = await startServer(WITH_ADMIN_KEY);
    try {
      const { code, message } = errorOf(await put(without, config()), 400);
      expect(code).toBe('storage_config');
      expect(message).toContain('without --hicache-dynamic-backend-dir');
    } finally {
      await without.kill();
    }
    const named = ['--hicache-storage-backend', 'dynamic'];
    const settings = ['--hicache-storage-backend-extra-config', JSON.stringify(config())];
    const { code, stderr } = await tierkv(['serve', '--port', '0', ...named, ...settings]);
    expect(code).toBe(1);
    expect(stderr).toContain('without --hicache-dynamic-backend-dir');
  });

  it('or with a folder that is not there, the server does not start', async () => {
    const { code, stderr } = await tierkv([
      'serve',
      '--port',
      '0',
      '--hicache-dynamic-backend-dir',
      '/nowhere',
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain("--hicache-dynamic-backend-dir: there is no folder '/nowhere'");
  });
});

it('at start a plugin is attached as any backend is', async () => {
  await copyFile(EXAMPLE, path.join(plugins, 'sqlite-pages.mjs'));
  const started = await startServer([
    ...WITH_ADMIN_KEY,
    '--dp-size',
    '2',
    '--hicache-dynamic-backend-dir',
    plugins,
    '--hicache-storage-backend',
    'dynamic',
    '--hicache-storage-backend-extra-config',
    JSON.stringify(config()),
  ]);
  try {
    expect((await storageStatus(started)).ranks).toMatchObject([
      { state: 'attached' },
      { state: 'attached' },
    ]);
  } finally {
    await started.kill();
  }
});
