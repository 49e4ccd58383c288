import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';

const API = 'the-api-key';
const ADMIN = 'the-admin-key';
const TOKENS = { none: undefined, wrong: 'wrong', api: API, admin: ADMIN };
type Token = keyof typeof TOKENS;

const SERVERS = {
  'no keys': [],
  'an API key': ['--api-key', API],
  'an admin key': ['--admin-api-key', ADMIN],
  'both keys': ['--api-key', API, '--admin-api-key', ADMIN, '--metrics-require-auth'],
};
type Configured = keyof typeof SERVERS;

/** Who may: everybody, or the holder of one key. */
const TABLE: [route: string, server: Configured, allowed: Token[]][] = [
  ['/v1/models', 'no keys', ['none', 'wrong', 'api', 'admin']],
  ['/v1/models', 'an API key', ['api']],
  ['/v1/models', 'an admin key', ['none', 'wrong', 'api', 'admin']],
  ['/v1/models', 'both keys', ['api']],
  ['/flush_cache', 'no keys', ['none', 'wrong', 'api', 'admin']],
  ['/flush_cache', 'an API key', ['api']],
  ['/flush_cache', 'an admin key', ['admin']],
  ['/flush_cache', 'both keys', ['admin']],
  ['/metrics', 'an API key', ['none', 'wrong', 'api', 'admin']],
  ['/metrics', 'both keys', ['api']],
];

const servers = new Map<Configured, TestServer>();
beforeAll(async () => {
  for (const [name, flags] of Object.entries(SERVERS))
    servers.set(name as Configured, await startServer(flags));
});
afterAll(() => Promise.all([...servers.values()].map((server) => server.kill())));

describe('a key', () => {
  it.each(TABLE)('for %s of a server with %s: %j', async (route, configured, allowed) => {
    const server = servers.get(configured)!;
    for (const [name, token] of Object.entries(TOKENS)) {
      const forms: Record<string, string>[] =
        token === undefined
          ? [{}]
          : [
              { authorization: `Bearer ${token}` },
              { authorization: `bEARER  ${token}` },
              { 'x-api-key': token },
            ];
      for (const headers of forms) {
        const response = await server.get(route, headers);
        const text = await response.text();
        if (allowed.includes(name as Token)) {
          expect(response.status, name).toBe(200);
        } else {
          expect(response.status, name).toBe(401);
          expect(text).toBe('{"error":"Unauthorized"}');
        }
      }
    }
  });

  it.each(['Basic', 'Bearer', 'Bearer ', `Token ${API}`, API, `Bearer ${API} ${API}`, `Bearer,${API}`])(
    'is not read from the header %j',
    async (authorization) => {
      expect((await servers.get('both keys')!.get('/v1/models', { authorization })).status).toBe(401);
    },
  );

  it('is asked for before anything else of a request is looked at', async () => {
    const server = servers.get('both keys')!;
    const routes = ['/v1/chat/completions', '/v1/completions', '/generate', '/abort_request', '/tokenize'];
    for (const route of routes) {
      const response = await server.post(route, 'no JSON');
      expect(response.status, route).toBe(401);
      expect(await response.json()).toEqual({ error: 'Unauthorized' });
    }
    for (const route of ['/server_info', '/model_info', '/health_generate', '/openapi.json', '/docs'])
      expect((await server.get(route)).status, route).toBe(401);
    expect((await fetch(`${server.url}/server_info`, { method: 'HEAD' })).status).toBe(401);
  });

  it('is not needed for probes', async () => {
    for (const server of servers.values())
      for (const route of ['/health', '/ready']) expect((await server.get(route)).status, route).toBe(200);
  });
});
