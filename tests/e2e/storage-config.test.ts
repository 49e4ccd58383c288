/** What the configuration of a backend may say, what becomes of it on two ranks, and where its secrets are not seen. */
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import {
  ADMIN_KEY,
  attach,
  attachBody,
  call,
  detach,
  errorOf,
  fourFields,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const SECRET = 'hunter2-swordfish';
let server: TestServer;
let folder: string;
let hidden: string;
beforeAll(async () => {
  [folder, hidden] = [await temporaryFolder(), await temporaryFolder()];
  const environment = { TEST_FOLDER: hidden, TEST_SECRET: SECRET, TEST_BROKEN: `/proc/${SECRET}/${SECRET}` };
  server = await startServer([...WITH_ADMIN_KEY, '--dp-size', '2', '--page-size', '8'], environment);
});
afterEach(() => detach(server));
afterAll(() => server?.kill());

describe('knobs of prefetching', () => {
  const good = {
    prefetch_threshold: 3,
    prefetch_timeout_base: 0,
    prefetch_timeout_per_ki_token: 0.5,
    prefetch_timeout_max: 4,
    hicache_storage_pass_prefix_keys: true,
  };

  it('are taken out before the backend sees the rest, and are in effect', async () => {
    const config = { ...good, path: folder };
    expect((await attach(server, config)).status).toBe(200);
    const { prefetch, hicache_storage_backend_extra_config } = await storageStatus(server);
    expect(prefetch).toEqual({ threshold: 3, timeout_base: 0, timeout_per_ki_token: 0.5, timeout_max: 4 });
    expect(hicache_storage_backend_extra_config).toBe(JSON.stringify(config));
    // An object is as good as the text of one.
    const body = attachBody('', { hicache_storage_backend_extra_config_json: { path: folder } });
    expect((await call(server, 'PUT', STORAGE, body)).status).toBe(200);
    expect((await storageStatus(server)).prefetch).toMatchObject({ threshold: 256, timeout_max: 30 });
    expect((await detach(server)).status).toBe(200);
  });

  it.each<[string, unknown, string]>([
    ['prefetch_threshold', 0, '>= 1'],
    ['prefetch_threshold', 1.5, 'integer'],
    ['prefetch_threshold', '256', 'integer'],
    ['prefetch_timeout_base', -1, '>= 0'],
    ['prefetch_timeout_base', '2', 'number'],
    ['prefetch_timeout_per_ki_token', -0.1, '>= 0'],
    ['prefetch_timeout_per_ki_token', null, 'number'],
    ['prefetch_timeout_max', 0, '> 0'],
    ['prefetch_timeout_max', [30], 'number'],
    ['hicache_storage_pass_prefix_keys', 'true', 'boolean'],
    ['prefetch_treshold', 256, 'not known here; known are: path'],
  ])('%s of %j is refused with its name and what was expected', async (key, value, expected) => {
    const { code, message } = errorOf(await attach(server, { ...good, path: folder, [key]: value }), 400);
    expect(code).toBe('storage_config');
    expect(message).toContain(`'${key}'`);
    expect(message).toContain(expected);
  });
});

describe('O9: a configuration is resolved on every rank', () => {
  it('{rank} and {host} are its number and machine, and {"env": …} is a variable of the server', async () => {
    const config = { path: path.join(folder, '{host}-{rank}'), min_free_space: 0 };
    expect((await attach(server, config)).text).toBe(
      'HiCache storage backend attached.\nrank 0: attached\nrank 1: attached\n',
    );
    const ofRanks = (await readdir(folder)).filter((name) => name.startsWith(hostname()));
    expect(ofRanks.toSorted()).toEqual([`${hostname()}-0`, `${hostname()}-1`]);
    expect((await fourFields(server))[1]).toBe(JSON.stringify(config));
    const prompts = Array.from({ length: 4 }, (_, i) => `Prompt number ${i} of several, ${i} times told`);
    await Promise.all(prompts.map((prompt) => server.post('/v1/completions', { prompt, max_tokens: 2 })));
    await server.expectIdle();
    const written = (await filesIn(folder)).filter((file) => file.endsWith('.page'));
    const { ranks } = await storageStatus(server);
    for (const { rank, pages_written } of ranks)
      expect(written.filter((file) => file.startsWith(`${hostname()}-${rank}/`))).toHaveLength(
        Number(pages_written),
      );
    expect(written.length).toBeGreaterThan(0);

    const fromVariable = { path: { env: 'TEST_FOLDER' }, min_free_space: 0 };
    expect((await attach(server, fromVariable, { switch: true })).status).toBe(200);
    expect((await fourFields(server))[1]).toBe(JSON.stringify(fromVariable));
    expect((await readdir(hidden)).length).toBeGreaterThan(0);
  });

  it('a variable that is not set is refused with its path and its name', async () => {
    const { code, message } = errorOf(await attach(server, { path: { env: 'TEST_NO_SUCH' } }), 400);
    expect(code).toBe('storage_config');
    expect(message).toMatch(/'path' names the environment variable TEST_NO_SUCH, which is not set/);
  });
});

describe('secrets', () => {
  /** With a secret in every kind of place. */
  const CONFIGS: (object | string)[] = [
    { password: SECRET },
    { api_key: SECRET, apiKey: SECRET, token: [SECRET], credentials: { anything: SECRET } },
    { path: 5, secret: SECRET },
    { url: `redis://user:${SECRET}@127.0.0.1:1/0` },
    { urls: [`a://:${SECRET}@b`, { nested: `https://c/?x=1&token=${SECRET}` }] },
    { headers: { Authorization: `Bearer ${SECRET}` } },
    { max_size: SECRET },
    { path: [SECRET] },
    { metadata_ttl: SECRET },
    { enable_metadata_cache: { deep: SECRET } },
    { prefetch_threshold: SECRET },
    { path: { env: 'TEST_BROKEN' } },
    { max_size: { env: 'TEST_SECRET' } },
    { unknown: { env: 'TEST_SECRET' } },
    `{"password": "${SECRET}"`,
    `{"password": ${SECRET}}`,
    `"${SECRET}"`,
    `@${SECRET}`,
  ];

  it.each(CONFIGS)('are not in the answer to %j', async (config) => {
    for (const [method, route] of [
      ['PUT', STORAGE],
      ['POST', `${STORAGE}/check`],
    ] as const) {
      const bodies: unknown[] = [attachBody(config)];
      if (typeof config === 'object')
        bodies.push(attachBody('', { hicache_storage_backend_extra_config_json: config }));
      else
        bodies.push(
          `{"hicache_storage_backend":"file","hicache_storage_backend_extra_config_json":${config}`,
        );
      for (const body of bodies) {
        const { status, text } = await call(server, method, route, body);
        expect(status, text).toBe(400);
        expect(text).not.toContain('swordfish');
      }
    }
  });

  it('are seen nowhere while they are in effect, nor afterwards', async () => {
    // Of an option that is there twice the last one counts; the first one is seen nowhere either.
    const config = `{"path":"/${SECRET}","path":{"env":"TEST_FOLDER"},"min_free_space":0}`;
    expect((await attach(server, config)).status).toBe(200);
    const pages = [
      JSON.stringify(await storageStatus(server)),
      JSON.stringify(await server.info()),
      await (await server.get('/metrics')).text(),
    ];
    expect((await detach(server)).status).toBe(200);
    for (const page of [...pages, JSON.stringify(await storageStatus(server))]) {
      expect(page).not.toContain('swordfish');
      expect(page).not.toContain(hidden);
      expect(page).not.toContain(ADMIN_KEY);
    }
  });

  it('are not in the log, and neither are keys', async () => {
    await expect.poll(() => server.log).toContain('storage operation');
    expect(server.log).not.toContain('swordfish');
    expect(server.log).not.toContain(hidden);
    expect(server.log).not.toContain(ADMIN_KEY);
  });
});
