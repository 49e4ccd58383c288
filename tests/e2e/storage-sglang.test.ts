/** What SGLang's own tests ask of the storage control API, and what its clients send. */
import { rm } from 'node:fs/promises';
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
  flush,
  fourFields,
  STORAGE,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const METHODS: [method: string, body: unknown][] = [
  ['GET', undefined],
  ['PUT', attachBody({})],
  ['DELETE', undefined],
];
const PROMPT = Array.from({ length: 768 }, (_, i) => ((i * i + 7 * i) % 900) + 50);

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startServer([...WITH_ADMIN_KEY, '--page-size', '64']);
});
afterEach(async () => {
  expect((await detach(server)).status).toBe(200);
});
afterAll(() => server?.kill());

const config = () => JSON.stringify({ path: folder, min_free_space: 0 });

async function cachedTokens(input_ids: number[]): Promise<number> {
  const body = { input_ids, sampling_params: { max_new_tokens: 2, temperature: 0 } };
  const response = await server.post('/generate', body);
  expect(response.status).toBe(200);
  return ((await response.json()) as { meta_info: { cached_tokens: number } }).meta_info.cached_tokens;
}

describe('keys', () => {
  it('without an admin key every method answers 400, and with an API key alone too', async () => {
    const open = await startServer(['--api-key', 'plain']);
    for (const [method, body] of METHODS)
      expect(
        errorOf(await call(open, method, STORAGE, body, { authorization: 'Bearer plain' }), 400),
      ).toMatchObject({ code: 'admin_key_missing', message: expect.stringContaining('--admin-api-key') });
    await open.kill();
  });

  it('with one, a token that is missing or wrong is answered with 401', async () => {
    const wrong: Record<string, string>[] = [{}, { authorization: 'Bearer wrong' }, { 'x-api-key': 'wrong' }];
    for (const [method, body] of METHODS)
      for (const headers of wrong)
        expect((await call(server, method, STORAGE, body, headers)).status, method).toBe(401);
    expect(await fourFields(server)).toEqual([null, null, 'timeout', 'write_through']);
  });
});

describe('attach, status and detach', () => {
  it('status echoes the text that was sent, and after a detach null, with the policies kept', async () => {
    expect(await fourFields(server)).toEqual([null, null, 'timeout', 'write_through']);
    const odd = ` {"min_free_space" :0,\n\t"path":  ${JSON.stringify(folder)},"prefetch_threshold":1e2 } `;
    const attached = await attach(server, odd, { hicache_write_policy: 'write_through_selective' });
    expect(attached.text).toBe('HiCache storage backend attached.\nrank 0: attached\n');
    expect(attached.status).toBe(200);
    expect(attached.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(await fourFields(server)).toEqual(['file', odd, 'timeout', 'write_through_selective']);
    expect((await detach(server)).text).toBe('HiCache storage backend detached.\nrank 0: detached\n');
    expect(await fourFields(server)).toEqual([null, null, 'timeout', 'write_through_selective']);
    expect((await attach(server, odd, { hicache_write_policy: 'write_through' })).status).toBe(200);
  });

  it('the same backend again is 200 and changes the policies, another one is refused', async () => {
    await attach(server, config());
    const again = await attach(server, config(), {
      hicache_storage_prefetch_policy: 'wait_complete',
      hicache_write_policy: 'write_back',
    });
    expect(again.status, again.text).toBe(200);
    expect(await fourFields(server)).toEqual(['file', config(), 'wait_complete', 'write_back']);
    const other = errorOf(await call(server, 'PUT', STORAGE, { hicache_storage_backend: 'memory' }), 400);
    expect(other.message).toMatch(/'file' is attached.*'memory'.*Detach first/);
    // SGLang sends the backend alone to change policies.
    const policies = {
      hicache_storage_prefetch_policy: 'timeout',
      hicache_write_policy: 'write_through',
    };
    expect(
      (await call(server, 'PUT', STORAGE, { hicache_storage_backend: 'file', ...policies })).status,
    ).toBe(200);
    expect(await fourFields(server)).toEqual(['file', config(), 'timeout', 'write_through']);
  });

  it('a detach where nothing is attached, and a second one, are 200 and no failures', async () => {
    const before = await detach(server);
    await attach(server, config());
    for (const answer of [before, await detach(server), await detach(server)]) {
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain('Failed');
    }
    expect(before.text).toBe('HiCache storage backend detached.\nrank 0: nothing was attached\n');
  });

  it('a body of a DELETE is ignored, whatever it is', async () => {
    for (const body of ['{', '{"a":1}', ''])
      expect((await call(server, 'DELETE', STORAGE, body)).status).toBe(200);
  });

  it('a policy that does not exist is refused, and nothing is attached', async () => {
    for (const field of ['hicache_storage_prefetch_policy', 'hicache_write_policy']) {
      const { code, message } = errorOf(await attach(server, config(), { [field]: 'bogus' }), 400);
      expect(code).toBe('storage_policy');
      expect(message).toMatch(/^Failed to attach HiCache storage backend\. .*'bogus'; known are: \w+/);
      expect(await fourFields(server)).toEqual([null, null, 'timeout', 'write_through']);
    }
  });

  it('an answer is JSON for a client that accepts JSON', async () => {
    const headers = { authorization: `bearer ${ADMIN_KEY}`, accept: 'text/html, application/json;q=0.9' };
    const put = await call(server, 'PUT', STORAGE, attachBody(config()), headers);
    expect(JSON.parse(put.text)).toEqual({
      ok: true,
      message: 'HiCache storage backend attached.',
      operation: expect.any(Number),
      duration_ms: expect.any(Number),
      ranks: [{ rank: 0, message: 'attached' }],
    });
    const gone = await call(server, 'DELETE', STORAGE, undefined, headers);
    expect(JSON.parse(gone.text)).toMatchObject({ ok: true, message: 'HiCache storage backend detached.' });
  });
});

describe('the store', () => {
  it('gets nothing before attach and after detach; a prompt comes back from it after a flush', async () => {
    const pages = async () => (await filesIn(folder)).length;
    await rm(folder, { recursive: true });
    const other = PROMPT.toReversed();
    await cachedTokens(other);
    await flush(server);
    await attach(server, config());
    // What showed that the store works is gone again.
    expect(await filesIn(folder)).toEqual([]);
    await cachedTokens(PROMPT);
    await server.expectIdle();
    // Twelve pages, and the one that ends with the answer.
    expect(await pages()).toBe(13);
    await flush(server);
    expect(await cachedTokens(PROMPT)).toBeGreaterThanOrEqual(512);
    await detach(server);
    await cachedTokens(other);
    await flush(server);
    expect(await cachedTokens(PROMPT)).toBe(0);
    expect(await pages()).toBe(13);
  });
});

describe('the paths of SGLang’s first drafts', () => {
  it('do the same, and say that they are deprecated', async () => {
    const steps: [method: string, route: string, body: unknown, says: string | RegExp][] = [
      [
        'POST',
        '/attach_hicache_storage_backend',
        attachBody(config()),
        /^HiCache storage backend attached\./,
      ],
      ['GET', '/hicache_storage_backend', undefined, /"hicache_storage_backend":"file"/],
      ['GET', '/clear_hicache_storage_backend', undefined, /"ok":true,"scope":"model","removed":\d+/],
      ['POST', '/clear_hicache_storage_backend', undefined, /"removed":0/],
      ['POST', '/clear_hicache_storage_backend', {}, /"removed":0/],
      ['POST', '/detach_hicache_storage_backend', undefined, /^HiCache storage backend detached\./],
      ['POST', '/detach_hicache_storage_backend', {}, /nothing was attached/],
    ];
    for (const [method, route, body, says] of steps) {
      const answer = await call(server, method, route, body);
      expect(answer.text, route).toMatch(says);
      expect(answer.status, route).toBe(200);
      expect(answer.headers.get('deprecation'), route).toMatch(/^@\d+$/);
      expect(answer.headers.get('link')).toContain('successor-version');
    }
    expect((await call(server, 'GET', STORAGE)).headers.get('deprecation')).toBeNull();
  });
});
