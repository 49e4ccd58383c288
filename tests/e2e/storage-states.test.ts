/** Every state that the storage of a server can be in, and what every request makes of it, idle and busy. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import {
  attach,
  attachBody,
  call,
  detach,
  errorOf,
  flush,
  fourFields,
  LongRequest,
  operationOf,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const MODES = ['idle', 'drain', 'live'] as const;
/** With room for an answer that is longer than a test. */
const FLAGS = [
  ...WITH_ADMIN_KEY,
  ...['--page-size', '8', '--max-running-requests', '2'],
  ...['--context-length', '60000', '--max-total-tokens', '60160'],
];

let server: TestServer;
let folder: string;
let other: string;
let unreachable: string;
beforeAll(async () => {
  [folder, other] = [await temporaryFolder(), await temporaryFolder()];
  const file = path.join(await temporaryFolder(), 'file');
  await writeFile(file, 'no folder');
  unreachable = path.join(file, 'below');
  server = await startServer(FLAGS);
});
const requests: LongRequest[] = [];
afterEach(async () => {
  await Promise.all(requests.splice(0).map((request) => request.stop()));
  await server.expectIdle();
  const policies = { hicache_storage_prefetch_policy: 'timeout', hicache_write_policy: 'write_through' };
  expect((await attach(server, config(), { switch: true, ...policies })).status).toBe(200);
  expect((await detach(server)).status).toBe(200);
});
afterAll(() => server?.kill());

const configOf = (where: string, fields: object = {}) =>
  JSON.stringify({ path: where, min_free_space: 0, ...fields });
const config = (fields: object = {}) => configOf(folder, fields);

async function busy(tokens?: number): Promise<LongRequest> {
  const request = await LongRequest.start(server, tokens);
  requests.push(request);
  return request;
}

const shortRequest = () =>
  server.post('/v1/completions', { prompt: 'Short', max_tokens: 4, ignore_eos: true });

describe.each(MODES)('on an idle server, in mode %s', (mode) => {
  it('every row of the table has its answer', async () => {
    expect((await detach(server, `?mode=${mode}`)).text).toContain('nothing was attached');
    expect((await attach(server, config(), { mode })).text).toContain('rank 0: attached');
    const { epoch, attached_at } = await storageStatus(server);

    const again = await attach(server, config(), { mode, hicache_write_policy: 'write_back' });
    expect(again.text).toContain('rank 0: attached already; policies updated');
    const knobs = await attach(server, '{"prefetch_threshold":7}', { mode });
    expect(knobs.status).toBe(200);
    const updated = await storageStatus(server);
    expect(updated).toMatchObject({ epoch, attached_at, state: 'attached', prefetch: { threshold: 7 } });
    expect(updated.hicache_write_policy).toBe('write_back');
    expect(JSON.parse(updated.hicache_storage_backend_extra_config ?? '')).toMatchObject({
      path: folder,
      prefetch_threshold: 7,
    });

    const differs = errorOf(await attach(server, configOf(other), { mode }), 400);
    expect(differs).toMatchObject({
      code: 'storage_config_differs',
      message: expect.stringContaining('switch'),
    });
    const memory = attachBody('{}', { hicache_storage_backend: 'memory', mode });
    expect(errorOf(await call(server, 'PUT', STORAGE, memory), 400).message).toMatch(
      /'file' is attached, so 'memory' cannot be\. Detach first/,
    );
    expect(await storageStatus(server)).toEqual(updated);

    expect((await attach(server, configOf(other), { mode, switch: true })).text).toContain(
      'rank 0: switched',
    );
    const switched = await storageStatus(server);
    expect(switched.hicache_storage_backend_extra_config).toBe(configOf(other));
    expect(switched.epoch).toBeGreaterThan(epoch ?? Number.NaN);
    expect((await call(server, 'PUT', STORAGE, { ...memory, switch: true })).text).toContain('switched');
    expect((await fourFields(server)).slice(0, 2)).toEqual(['memory', '{}']);

    expect((await detach(server, `?mode=${mode}`)).text).toContain('rank 0: detached');
    expect(await storageStatus(server)).toMatchObject({ state: 'detached', epoch: null, attached_at: null });
    expect((await fourFields(server)).slice(0, 2)).toEqual([null, null]);
  });
});

/** Of every kind; each would change policies and a threshold if anything of it were applied. */
const REFUSALS: [what: string, fields: () => object, code: string][] = [
  ['a bad policy', () => ({ hicache_storage_prefetch_policy: 'bogus' }), 'storage_policy'],
  ['a bad write policy', () => ({ hicache_write_policy: 'bogus' }), 'storage_policy'],
  ['a bad knob', () => extra({ path: folder, prefetch_timeout_max: 0 }), 'storage_config'],
  [
    'no JSON',
    () => ({ hicache_storage_backend_extra_config_json: '{"prefetch_threshold":5' }),
    'storage_config',
  ],
  ['a file', () => ({ hicache_storage_backend_extra_config_json: '@/etc/hostname' }), 'storage_config'],
  ['no object', () => ({ hicache_storage_backend_extra_config_json: '[5]' }), 'storage_config'],
  ['an unknown option', () => extra({ path: folder, pth: 1 }), 'storage_config'],
  ['a bad option', () => extra({ path: 5 }), 'storage_config'],
  ['a variable that is not set', () => extra({ path: { env: 'TIERKV_NO_SUCH' } }), 'storage_config'],
  [
    '`__proto__`',
    () => ({ hicache_storage_backend_extra_config_json: '{"__proto__":{"path":"/"}}' }),
    'storage_config',
  ],
  ['an unknown backend', () => ({ hicache_storage_backend: 'nosuch' }), 'storage_unknown_backend'],
  ['a backend without a client', () => ({ hicache_storage_backend: 'nixl' }), 'storage_unknown_backend'],
  ['a path that cannot be', () => extra({ path: unreachable }), 'storage_failed'],
  ['an unknown field', () => ({ nosuch: 1 }), 'invalid_value'],
  ['an unknown mode', () => ({ mode: 'now' }), 'invalid_value'],
  ['a timeout of nothing', () => ({ timeout: 0 }), 'invalid_value'],
  ['a wrong type', () => ({ switch: 'yes' }), 'invalid_value'],
  ['no backend', () => ({ hicache_storage_backend: '' }), 'invalid_value'],
];
const extra = (fields: object) => ({
  hicache_storage_backend_extra_config_json: JSON.stringify({ prefetch_threshold: 5, ...fields }),
});

describe('O2: a request that is refused changes nothing', () => {
  const everything = (fields: object) => ({
    ...attachBody(config({ prefetch_threshold: 5 })),
    hicache_storage_prefetch_policy: 'best_effort',
    hicache_write_policy: 'write_back',
    ...fields,
  });

  it.each(REFUSALS)('for %s, where nothing is attached', async (_, fields, code) => {
    const before = await storageStatus(server);
    for (const mode of MODES)
      expect(errorOf(await call(server, 'PUT', STORAGE, everything({ mode, ...fields() })), 400).code).toBe(
        code,
      );
    expect(await storageStatus(server)).toEqual(before);
  });

  it('for every reason, where a backend is attached, and where it would be a switch', async () => {
    await attach(server, config({ prefetch_threshold: 9 }));
    // What the folder holds is counted in the background.
    await expect.poll(async () => (await storageStatus(server)).ranks[0]?.bytes_used).toBe(0);
    const before = await storageStatus(server);
    const { options } = await server.info();
    for (const [what, fields, code] of REFUSALS)
      for (const replace of [false, true]) {
        const body = everything({ switch: replace, ...fields() });
        const { code: said } = errorOf(await call(server, 'PUT', STORAGE, body), 400);
        // Without `switch` another backend or configuration is refused for being another one.
        if (replace) expect(said, what).toBe(code);
        expect(await storageStatus(server), what).toEqual(before);
      }
    expect((await server.info()).options).toEqual(options);
  });

  it('for a body that is no JSON, which is not quoted', async () => {
    const before = await storageStatus(server);
    const { message, code } = errorOf(await call(server, 'PUT', STORAGE, '{"password":hunter2}'), 400);
    expect(code).toBe('invalid_json');
    expect(message).not.toContain('hunter2');
    expect(await storageStatus(server)).toEqual(before);
  });
});

describe('O10: a busy server', () => {
  it('refuses what needs an idle one, says what is in the way, and changes nothing', async () => {
    for (const attached of [false, true]) {
      if (attached) await attach(server, config(), { mode: 'live' });
      const before = await storageStatus(server);
      await busy();
      await busy();
      const waiting = shortRequest();
      await expect.poll(() => server.metric('waiting_requests')).toBe(1);
      // Where a backend is attached, what is computed is being written to it.
      const counts = '#queue-req=1 #running-req=2 blocked-by: running=2, waiting=1(, backup=\\d+)?$';
      const fields = { hicache_write_policy: 'write_back', switch: true };
      const refused = errorOf(await attach(server, config({ prefetch_threshold: 5 }), fields), 400);
      expect(refused).toMatchObject({
        code: 'scheduler_not_idle',
        message: expect.stringMatching(
          `^Failed to attach HiCache storage backend. Reject attach: scheduler is not idle. ${counts}`,
        ),
      });
      expect(errorOf(await detach(server), 400).message).toMatch(
        new RegExp(
          `^Failed to detach HiCache storage backend. Reject detach: scheduler is not idle. ${counts}`,
        ),
      );
      await Promise.all(requests.splice(0).map((request) => request.stop()));
      expect((await waiting).status).toBe(200);
      await server.expectIdle();
      const { pages_written, bytes_used, ...rank } = (await storageStatus(server)).ranks[0]!;
      expect(pages_written).toEqual(attached ? expect.any(Number) : 0);
      expect({ ...before.ranks[0], ...rank }).toEqual(before.ranks[0]);
      expect({ ...(await storageStatus(server)), ranks: [] }).toEqual({ ...before, ranks: [] });
    }
  });
});

describe('mode drain on a busy server', () => {
  it('waits, and what arrives meanwhile is held and then served', async () => {
    const long = await busy(4000);
    const draining = attach(server, config(), { mode: 'drain', timeout: 50 });
    await operationOf(server);
    const held: Promise<Response>[] = [];
    // The first ones may come before the rank has heard of it.
    const waiting = async () => {
      if (held.length < 20) held.push(shortRequest());
      await setTimeout(20);
      return server.metric('waiting_requests');
    };
    await expect.poll(waiting, { interval: 20, timeout: 10_000 }).toBeGreaterThan(1);
    // One more would run if it were admitted.
    expect(await server.metric('running_requests')).toBe(1);
    expect((await storageStatus(server)).operation).toMatchObject({ kind: 'attach', mode: 'drain' });
    expect((await draining).text).toContain('rank 0: attached');
    expect(String(await long.answer)).toContain('[DONE]');
    for (const response of await Promise.all(held)) {
      const { usage } = (await response.json()) as { usage: { completion_tokens: number } };
      expect(usage.completion_tokens).toBe(4);
    }
    expect((await storageStatus(server)).state).toBe('attached');
  });

  it('ends with 504 when its time is over, with nothing changed, and requests are served again', async () => {
    await attach(server, config());
    const before = await fourFields(server);
    await busy();
    const fields = { mode: 'drain', timeout: 0.6, switch: true, hicache_write_policy: 'write_back' };
    for (const drain of [
      () => attach(server, configOf(other), fields),
      () => detach(server, '?mode=drain&timeout=0.6'),
    ]) {
      const { code, message } = errorOf(await drain(), 504);
      expect(code).toBe('deadline_exceeded');
      expect(message).toMatch(/blocked-by: rank 0: running=1/);
      expect(await fourFields(server)).toEqual(before);
      expect(await storageStatus(server)).toMatchObject({ state: 'attached', operation: null });
      expect((await shortRequest()).status).toBe(200);
    }
  });
});

describe('mode live on a busy server', () => {
  it('attaches, updates, switches and detaches while a request goes on', async () => {
    const long = await busy(1500);
    const steps: [() => ReturnType<typeof attach>, string | null][] = [
      [() => attach(server, config(), { mode: 'live' }), config()],
      [() => attach(server, config(), { mode: 'live', hicache_write_policy: 'write_back' }), config()],
      [() => attach(server, configOf(other), { mode: 'live', switch: true }), configOf(other)],
      [() => detach(server, '?mode=live'), null],
    ];
    for (const [step, shown] of steps) {
      const { status, text } = await step();
      expect(status, text).toBe(200);
      expect((await fourFields(server))[1]).toBe(shown);
    }
    expect((await server.info()).ranks[0]?.report?.running).toBe(1);
    expect(String(await long.answer)).toContain('[DONE]');
  });
});

describe('a second operation', () => {
  let draining: ReturnType<typeof attach>;
  beforeEach(async () => {
    await busy();
    draining = attach(server, config(), { mode: 'drain', timeout: 50 });
  });

  it('is refused with 409 and names the first one, after its form and before all else was checked', async () => {
    const { id, kind } = await operationOf(server);
    expect(kind).toBe('attach');
    const bogus = attachBody('{', { hicache_write_policy: 'bogus', hicache_storage_backend: 'nosuch' });
    for (const [method, route, body] of [
      ['PUT', STORAGE, bogus],
      ['DELETE', STORAGE, undefined],
      ['POST', `${STORAGE}/clear`, {}],
    ] as const) {
      const answer = await call(server, method, route, body);
      expect(errorOf(answer, 409)).toMatchObject({
        code: 'operation_in_progress',
        message: expect.stringContaining(`Operation ${id} (attach) is in progress.`),
        details: { operation: { id, kind: 'attach', backend: 'file', mode: 'drain' } },
      });
    }
    expect(errorOf(await attach(server, config(), { mode: 'now' }), 400).code).toBe('invalid_value');
    expect((await call(server, 'POST', `${STORAGE}/check`, attachBody(config()))).status).toBe(200);
    expect((await call(server, 'PUT', STORAGE, bogus, { authorization: 'Bearer wrong' })).status).toBe(401);
    await Promise.all(requests.splice(0).map((request) => request.stop()));
    expect((await draining).status).toBe(200);
  });
});

it('whether the server is idle is looked at before policies, these before the backend and its configuration', async () => {
  await attach(server, config());
  const long = await busy();
  const body = {
    hicache_storage_backend: 'memory',
    hicache_storage_backend_extra_config_json: '{',
    hicache_write_policy: 'bogus',
  };
  const ask = async (fields: object) =>
    errorOf(await call(server, 'PUT', STORAGE, { ...body, ...fields }), 400).code;
  expect(await ask({})).toBe('scheduler_not_idle');
  await long.stop();
  await flush(server);
  expect(await ask({})).toBe('storage_policy');
  expect(await ask({ hicache_write_policy: 'write_back' })).toBe('storage_attached');
  expect(await ask({ hicache_write_policy: 'write_back', switch: true })).toBe('storage_config');
});

it('without a hierarchical cache nothing can be attached, whatever else is wrong', async () => {
  const flat = await startServer([...FLAGS, '--disable-hierarchical-cache']);
  const long = await LongRequest.start(flat);
  const code = 'hierarchical_cache_disabled';
  for (const answer of [
    await attach(flat, '{', { hicache_write_policy: 'bogus' }),
    await detach(flat),
    await call(flat, 'POST', `${STORAGE}/clear`, {}),
    await call(flat, 'POST', `${STORAGE}/check`, attachBody(config())),
  ])
    expect(errorOf(answer, 400).code).toBe(code);
  expect(errorOf(await attach(flat, '{', { mode: 'now' }), 400).code).toBe('invalid_value');
  expect(await storageStatus(flat)).toMatchObject({ hicache_storage_backend: null, state: 'disabled' });
  await long.stop();
  await flat.kill();
});
