/** Every cell of the table of keys, over HTTP: who may serve himself, clear caches, and change the storage. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';
import { attachBody, call, STORAGE } from '../support/storage-api.ts';

const API = 'the-api-key';
const ADMIN = 'the-admin-key';
const TOKENS = { none: undefined, wrong: 'wrong', api: API, admin: ADMIN };
type Token = keyof typeof TOKENS;

const SERVERS = {
  'no keys': [],
  'an API key': ['--api-key', API],
  'an admin key': ['--admin-api-key', ADMIN],
  'both keys': ['--api-key', API, '--admin-api-key', ADMIN],
};
type Configured = keyof typeof SERVERS;

/** What a route answers to whom it serves. With a backend that does not exist the routes of control change nothing. */
const LEVELS: Record<string, [method: string, route: string, body: unknown, served: number][]> = {
  serving: [
    ['GET', '/v1/models', undefined, 200],
    ['POST', '/tokenize', { prompt: 'a' }, 200],
  ],
  clearing: [
    ['POST', '/flush_cache?timeout=10', undefined, 200],
    ['GET', '/flush_cache?timeout=10', undefined, 200],
    // Nothing is attached.
    ['POST', `${STORAGE}/clear`, {}, 400],
    ['POST', '/clear_hicache_storage_backend', undefined, 400],
  ],
  'storage control': [
    ['GET', STORAGE, undefined, 200],
    ['DELETE', STORAGE, undefined, 200],
    ['PUT', STORAGE, attachBody({}, { hicache_storage_backend: 'nosuch' }), 400],
    ['POST', `${STORAGE}/breaker`, { state: 'open' }, 400],
    ['POST', `${STORAGE}/check`, attachBody({}, { hicache_storage_backend: 'nosuch' }), 400],
    ['POST', '/attach_hicache_storage_backend', attachBody({}, { hicache_storage_backend: 'nosuch' }), 400],
    ['POST', '/detach_hicache_storage_backend', undefined, 200],
    ['GET', '/hicache_storage_backend', undefined, 200],
  ],
};
type Level = keyof typeof LEVELS;

const EVERYBODY: Token[] = ['none', 'wrong', 'api', 'admin'];
/** Who is served, and who would be if the server had an admin key; all others are not known. */
const TABLE: [level: Level, server: Configured, served: Token[], needsAdminKey: Token[]][] = [
  ['serving', 'no keys', EVERYBODY, []],
  ['serving', 'an API key', ['api'], []],
  ['serving', 'an admin key', EVERYBODY, []],
  ['serving', 'both keys', ['api'], []],
  ['clearing', 'no keys', EVERYBODY, []],
  ['clearing', 'an API key', ['api'], []],
  ['clearing', 'an admin key', ['admin'], []],
  ['clearing', 'both keys', ['admin'], []],
  ['storage control', 'no keys', [], EVERYBODY],
  ['storage control', 'an API key', [], ['api']],
  ['storage control', 'an admin key', ['admin'], []],
  ['storage control', 'both keys', ['admin'], []],
];

const servers = new Map<Configured, TestServer>();
beforeAll(async () => {
  const names = Object.keys(SERVERS) as Configured[];
  await Promise.all(names.map(async (name) => servers.set(name, await startServer(SERVERS[name]))));
});
afterAll(() => Promise.all([...servers.values()].map((server) => server.kill())));

function formsOf(token: string | undefined): Record<string, string>[] {
  if (token === undefined) return [{}];
  return [`Bearer ${token}`, `bEARER  ${token}`]
    .map((authorization): Record<string, string> => ({ authorization }))
    .concat({ 'x-api-key': token });
}

describe('a key', () => {
  it.each(TABLE)('for %s on a server with %s: %j are served', async (level, configured, served, needsKey) => {
    const server = servers.get(configured)!;
    for (const [method, route, body, status] of LEVELS[level]!)
      for (const name of EVERYBODY)
        for (const headers of formsOf(TOKENS[name])) {
          const answer = await call(server, method, route, body, headers);
          const what = `${method} ${route} with ${name}: ${answer.text}`;
          const missing = answer.text.includes('"code":"admin_key_missing"');
          if (served.includes(name)) {
            expect(answer.status, what).toBe(status);
            expect(missing, what).toBe(false);
          } else if (needsKey.includes(name)) {
            expect(answer.status, what).toBe(400);
            expect(missing, what).toBe(true);
          } else {
            expect(answer.status, what).toBe(401);
            expect(answer.text, what).toBe('{"error":"Unauthorized"}');
          }
        }
  });

  it('of the storage is asked for before the body is looked at', async () => {
    for (const [configured, status] of [
      ['both keys', 401],
      ['no keys', 400],
    ] as const)
      for (const body of ['no JSON', '{}', 'x'.repeat(1000)]) {
        const answer = await call(servers.get(configured)!, 'PUT', STORAGE, body, {});
        expect(answer.status).toBe(status);
        expect(answer.text).toMatch(/Unauthorized|admin_key_missing/);
      }
  });
});
