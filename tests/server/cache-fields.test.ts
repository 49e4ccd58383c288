import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../src/server/app.ts';
import type { ServerContext } from '../../src/server/context.ts';
import { Metrics } from '../../src/server/metrics.ts';
import type { App } from '../../src/server/typed-app.ts';
import { failure } from '../../src/shared/errors.ts';
import type { GenerationRequest } from '../../src/tokenizer-manager/generation.ts';
import { vocabularyOf } from '../support/word-vocabulary.ts';

const LONG = 'x'.repeat(1025);
const ROUTES: [string, object][] = [
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }] }],
  ['/v1/completions', { prompt: [0] }],
  ['/generate', { input_ids: [0] }],
];

/** What would have been generated: these tests are about how it is asked for. */
const generate = vi.fn((_request: GenerationRequest): never => {
  throw failure('no_rank', undefined);
});

let app: App;
let address: string;
beforeAll(async () => {
  const manager = { vocabulary: vocabularyOf(['a', 'b']), contextLength: 1000, generate, inFlight: 0 };
  const context = {
    manager,
    metrics: new Metrics('m'),
    log: pino({ level: 'silent' }),
    servedModel: 'm',
    limits: {},
    chat: { source: '', template: { render: () => 'a' } },
  } as unknown as ServerContext;
  app = await createApp(context, {
    apiKey: undefined,
    adminApiKey: undefined,
    metrics: false,
    metricsRequireAuth: false,
    bodyLimit: 1 << 20,
  });
  address = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => app.close());
beforeEach(() => {
  generate.mockClear();
});

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(address + url, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** The namespace and priority that a body asks for. */
async function asked(url: string, body: object) {
  expect((await post(url, body)).status).toBe(503);
  const { namespace, priority } = generate.mock.lastCall![0];
  return { namespace, priority };
}

async function refused(url: string, body: object): Promise<{ param: string; message: string }> {
  const response = await post(url, body);
  expect(response.status, JSON.stringify(body)).toBe(400);
  expect(generate).not.toHaveBeenCalled();
  const { error } = (await response.json()) as { error: { param: string; message: string } };
  return error;
}

describe.each(ROUTES)('%s', (url, sound) => {
  it('puts a request into the namespace that it names', async () => {
    const none = { namespace: { extraKey: undefined, cacheSalt: undefined }, priority: 0 };
    expect(await asked(url, sound)).toEqual(none);
    expect(await asked(url, { ...sound, cache_salt: null, extra_key: null, priority: null })).toEqual(none);
    expect(await asked(url, { ...sound, extra_key: '' })).toEqual(none);
    expect(await asked(url, { ...sound, cache_salt: 'tenant' })).toEqual({
      namespace: { extraKey: undefined, cacheSalt: 'tenant' },
      priority: 0,
    });
    expect(await asked(url, { ...sound, cache_salt: 's', extra_key: 'k', priority: -7 })).toEqual({
      namespace: { extraKey: 'k', cacheSalt: 's' },
      priority: -7,
    });
  });

  it.each([
    ['cache_salt', ['', LONG, 5, ['s'], {}, true]],
    ['extra_key', [LONG, 5, {}, true]],
    ['priority', ['1', 1.5, 2 ** 31, -(2 ** 31) - 1, [1], true]],
  ])('refuses a wrong %s by its name', async (name, values) => {
    for (const value of values) {
      const { param, message } = await refused(url, { ...sound, [name]: value });
      expect(param).toBe(name);
      expect(message).toContain(`'${name}'`);
    }
  });
});

describe('/generate with a batch', () => {
  it('takes one extra_key for all prompts, or one for each', async () => {
    const batch = { input_ids: [[0], [1]] };
    expect((await asked('/generate', { ...batch, extra_key: 'k' })).namespace?.extraKey).toBe('k');
    expect((await asked('/generate', { ...batch, extra_key: ['one', 'two'] })).namespace?.extraKey).toBe(
      'one',
    );
    generate.mockClear();
    for (const extra_key of [[], ['one'], ['one', 'two', 'three'], ['one', 2], ['one', LONG]]) {
      expect((await refused('/generate', { ...batch, extra_key })).param).toMatch(/^extra_key/);
    }
  });
});
