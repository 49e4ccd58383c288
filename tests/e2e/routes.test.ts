import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedy, startServer, type TestServer } from '../support/server.ts';

const KEYS = { api: 'api-key-5417', admin: 'admin-key-5417' };
const withKey = { authorization: `Bearer ${KEYS.api}` };
const ROUTES: Record<string, string[]> = {
  '/v1/chat/completions': ['post'],
  '/v1/completions': ['post'],
  '/v1/models': ['get'],
  '/generate': ['post'],
  '/abort_request': ['post'],
  '/tokenize': ['post'],
  '/detokenize': ['post'],
  '/health': ['get'],
  '/health_generate': ['get'],
  '/ready': ['get'],
  '/model_info': ['get'],
  '/get_model_info': ['get'],
  '/server_info': ['get'],
  '/get_server_info': ['get'],
  '/flush_cache': ['get', 'post'],
  '/metrics': ['get'],
};

let server: TestServer;
let guarded: TestServer;
beforeAll(async () => {
  [server, guarded] = await Promise.all([
    startServer(['--served-model-name', 'org/mine', '--context-length', '512']),
    startServer(['--api-key', KEYS.api], { TIERKV_ADMIN_API_KEY: KEYS.admin }),
  ]);
});
afterAll(() => Promise.all([server?.kill(), guarded?.kill()]));

async function json(route: string): Promise<Record<string, unknown>> {
  const response = await server.get(route);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

/** The value of every sample of Prometheus' text format. */
describe('information', () => {
  it('is given of the model, under both names', async () => {
    const info = await json('/model_info');
    expect(info).toMatchObject({ served_model_name: 'org/mine', is_generation: true, context_length: 512 });
    expect(info.model_path).toMatch(/tiny-[0-9a-f]+\.gguf$/);
    expect(await json('/get_model_info')).toEqual(info);
    expect(await json('/v1/models/org/mine')).toMatchObject({ id: 'org/mine', max_model_len: 512 });
  });

  it('is given of the server and its ranks, under both names', async () => {
    const info = await json('/server_info');
    expect(info).toMatchObject({ in_flight: 0, limits: { contextLength: 512 } });
    expect(info.ranks).toMatchObject([
      { rank: 0, pid: expect.any(Number), state: 'ready', restarts: 0, report: { running: 0 } },
    ]);
    expect(Object.keys(await json('/get_server_info'))).toEqual(Object.keys(info));
  });

  it('never holds a key', async () => {
    for (const route of [
      '/server_info',
      '/get_server_info',
      '/model_info',
      '/metrics',
      '/openapi.json',
      '/v1/models',
    ]) {
      const text = await (await guarded.get(route, withKey)).text();
      for (const key of Object.values(KEYS)) expect(text).not.toContain(key);
    }
    await guarded.get('/v1/models', { 'x-api-key': 'wrong' });
    for (const key of Object.values(KEYS)) expect(guarded.log).not.toContain(key);
  });
});

describe('probes', () => {
  it.each(['/health', '/ready', '/health_generate'])('%s is well', async (route) => {
    expect(await json(route)).toMatchObject({ status: expect.stringMatching(/ok|ready/) });
  });

  it('/flush_cache needs an idle server, or waits for one', async () => {
    expect((await server.post('/flush_cache', undefined, { body: null, headers: {} })).status).toBe(200);
    const busy = greedy(server, 'Some words', 400);
    await expect.poll(async () => (await server.info()).in_flight, { interval: 1 }).toBe(1);
    const refused = await server.get('/flush_cache');
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      error: { code: 'not_idle', message: expect.stringContaining('#running-req=1') },
    });
    expect((await server.get('/flush_cache?timeout=99999999999')).status).toBe(200);
    expect((await server.info()).in_flight).toBe(0);
    await busy;
    expect((await server.get('/flush_cache?timeout=soon')).status).toBe(400);
  });
});

describe('tokens', () => {
  it.each([
    'plain words',
    ' löng — wörds 日本語 🙂\n\n',
    '<|im_start|>user\nhi<|im_end|>',
    'a'.repeat(20_000),
  ])('become the text again: %.20s', async (prompt) => {
    const { tokens, count } = (await (await server.post('/tokenize', { prompt })).json()) as {
      tokens: number[];
      count: number;
    };
    expect(tokens).toHaveLength(count);
    const body = { tokens, skip_special_tokens: false };
    expect(await (await server.post('/detokenize', body)).json()).toEqual({ text: prompt });
  });

  it('come in batches too, and under /v1', async () => {
    const answer = await (await server.post('/v1/tokenize', { prompt: ['a b', 'c'] })).json();
    const { tokens } = answer as { tokens: number[][] };
    expect(tokens).toHaveLength(2);
    expect(await (await server.post('/v1/detokenize', { tokens })).json()).toEqual({ text: ['a b', 'c'] });
  });

  it('out of range are refused', async () => {
    for (const tokens of [[1, 1024], [2 ** 40]]) {
      const response = await server.post('/detokenize', { tokens });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: { code: 'token_out_of_range', param: 'tokens' } });
    }
  });
});

describe('/metrics', () => {
  it('counts requests and tokens', async () => {
    const before = await server.samples();
    await greedy(server, 'Some words', 10);
    const after = await server.samples();
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const model = 'model="org/mine"';
    expect(grown(`tierkv_requests_total{outcome="length",${model}}`)).toBe(1);
    expect(grown(`tierkv_generation_tokens_total{${model}}`)).toBe(10);
    expect(grown(`tierkv_prompt_tokens_total{${model}}`)).toBeGreaterThan(0);
    for (const [name, count] of [
      ['time_to_first_token', 1],
      ['inter_token_latency', 9],
      ['e2e_latency', 1],
    ] as const)
      expect(grown(`tierkv_${name}_seconds_count{${model}}`)).toBe(count);
    for (const name of ['running_requests', 'waiting_requests'])
      expect(after.get(`tierkv_${name}{rank="0",${model}}`)).toBe(0);
    expect(await server.metric('tier_capacity_tokens', 'rank="0"', 'tier="device"', model)).toBeGreaterThan(
      0,
    );
  });

  it('describes every family of requests', async () => {
    const text = await (await server.get('/metrics')).text();
    for (const family of [
      'cached_tokens_total counter',
      'running_requests gauge',
      'e2e_latency_seconds histogram',
    ])
      expect(text).toContain(`# TYPE tierkv_${family}`);
  });
});

describe('the documentation', () => {
  it('lists every route with its schema', async () => {
    const { openapi, info, paths } = (await json('/openapi.json')) as {
      openapi: string;
      info: object;
      paths: Record<string, Record<string, { summary?: string; requestBody?: unknown }>>;
    };
    expect(openapi).toMatch(/^3\.1/);
    expect(info).toMatchObject({ title: 'TierKV', version: expect.any(String) });
    for (const [route, methods] of Object.entries(ROUTES)) {
      expect(Object.keys(paths[route] ?? {}), route).toEqual(methods);
      for (const method of methods) expect(paths[route]![method]!.summary, route).toBeTruthy();
    }
    expect(paths['/v1/completions']!.post!.requestBody).toMatchObject({
      content: { 'application/json': { schema: { properties: { prompt: {} } } } },
    });
  });

  it('is a page', async () => {
    const response = await server.get('/docs');
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('Swagger UI');
  });
});

describe('a route that is not there', () => {
  it.each([
    ['GET', '/nosuch'],
    ['DELETE', '/health'],
    ['GET', '/v1/chat/completions'],
    ['PATCH', '/v1/models'],
    ['GET', '/%zz'],
    ['GET', '/v1//completions'],
    ['GET', `/${'a'.repeat(5000)}`],
  ])('%s %.40s is a clear 404', async (method, route) => {
    const response = await fetch(server.url + route, { method });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      error: {
        message: `There is no ${method} ${route}.`,
        type: 'not_found_error',
        param: null,
        code: 'route_not_found',
      },
    });
  });

  it('names itself in x-request-id', async () => {
    expect((await server.get('/health', { 'x-request-id': 'mine' })).headers.get('x-request-id')).toBe(
      'mine',
    );
    expect((await server.get('/health')).headers.get('x-request-id')).toMatch(/^req-/);
  });
});
