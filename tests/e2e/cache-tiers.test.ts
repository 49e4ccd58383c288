import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import {
  ask,
  expectHealthy,
  expectRightAnswers,
  QUESTIONS,
  rightAnswers,
  startCacheServer,
  startSharedServer,
  storageIn,
  words,
} from '../support/cache-server.ts';
import type { CachedTokens, GreedyAnswer, TestServer } from '../support/server.ts';

interface Usage {
  prompt_tokens: number;
  prompt_tokens_details: { cached_tokens: number; cached_tokens_details?: CachedTokens };
}

let right: GreedyAnswer[];
beforeAll(async () => {
  right = await rightAnswers();
});

const total = ({ device, host, storage }: Omit<CachedTokens, 'storage_backend'>) => device + host + storage;

describe('greedy answers are those of a server without a cache', () => {
  it.each([
    ['L1 alone', ['--disable-hierarchical-cache']],
    [
      'L1 that keeps nothing, and an L2 that is too small',
      ['--hicache-keep-on-device', '0', '--hicache-ratio', '0.4'],
    ],
    ['pages that are written when they leave L1', ['--hicache-write-policy', 'write_back']],
  ])('with %s', async (_, flags) => {
    const server = await startCacheServer(...flags);
    for (const _round of [1, 2]) expect(total(await expectRightAnswers(server, right))).toBeGreaterThan(200);
    await expectHealthy(server);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'before and after a restart by %s, which finds what was stored',
    async (signal) => {
      const flags = storageIn(await temporaryFolder());
      const first = await startCacheServer(...flags);
      await expectRightAnswers(first, right);
      if (signal === 'SIGTERM') expect(await first.stop()).toBe(0);
      else {
        await first.expectIdle();
        await first.kill();
      }
      const second = await startCacheServer(...flags);
      const again = await ask(second, QUESTIONS[2]!);
      // What is left over after the last whole page is not stored.
      expect(again.cached).toMatchObject({ device: 0, host: 0, storage_backend: 'file' });
      expect(again.cached.storage).toBeGreaterThan(again.promptTokens - 9);
      await expectRightAnswers(second, right);
      await expectHealthy(second);
    },
  );

  it('of two servers that share one folder at the same time', async () => {
    const flags = storageIn(await temporaryFolder());
    const [one, two] = await Promise.all([startCacheServer(...flags), startCacheServer(...flags)]);
    await ask(one, QUESTIONS[2]!);
    await one.expectIdle();
    const shared = await ask(two, QUESTIONS[2]!);
    expect(shared.cached.storage).toBeGreaterThan(shared.promptTokens - 9);
    await Promise.all([one, two, one, two].map((server) => expectRightAnswers(server, right)));
    for (const server of [one, two]) {
      await expectHealthy(server);
      expect(await server.metric('storage_pages_rejected_total')).toBe(0);
      expect(await server.metric('storage_errors_total')).toBe(0);
    }
  });

  it('of two ranks, of which the one that holds a prefix is asked', async () => {
    const server = await startCacheServer('--dp-size', '2', ...storageIn(await temporaryFolder()));
    await expectRightAnswers(server, right);
    await expectRightAnswers(server, right);
    const question = { text: words(20, 77) };
    const asked = await ask(server, question);
    expect(asked.cached).toMatchObject({ device: 0, host: 0, storage: 0 });
    for (let i = 0; i < 3; i++)
      expect((await ask(server, question)).cached.host).toBe(asked.promptTokens - 1);
    await expectHealthy(server);
    // Ranks that died come back with what was stored.
    for (const pid of await server.rankPids()) process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await server.get('/ready')).status, { interval: 2 }).toBe(503);
    await expect.poll(async () => (await server.get('/ready')).status, { timeout: 30_000 }).toBe(200);
    expect((await expectRightAnswers(server, right)).storage).toBeGreaterThan(0);
  });
});

/** The last usage object of an event stream. */
function lastUsage(events: string): Usage {
  const datas = events.split('\n\n').filter((event) => event.startsWith('data: {'));
  return (JSON.parse(datas.at(-1)!.slice('data: '.length)) as { usage: Usage }).usage;
}

async function usageOf(server: TestServer, route: string, body: object): Promise<Usage> {
  const response = await server.post(route, { max_tokens: 2, temperature: 0, ...body });
  const answer = await response.text();
  expect(response.status, answer).toBe(200);
  if ('stream' in body) return lastUsage(answer);
  const { usage, meta_info } = JSON.parse(answer) as {
    usage?: Usage;
    meta_info: Usage['prompt_tokens_details'] & { prompt_tokens: number };
  };
  if (usage) return usage;
  const { prompt_tokens, cached_tokens, cached_tokens_details } = meta_info;
  const details = cached_tokens_details ? { cached_tokens_details } : {};
  return { prompt_tokens, prompt_tokens_details: { cached_tokens, ...details } };
}

const STREAM = { stream: true, stream_options: { include_usage: true } };
const chat = (text: string) => ({ messages: [{ role: 'user', content: text }] });
const ROUTES: [string, string, (text: string) => object][] = [
  ['chat completions', '/v1/chat/completions', chat],
  ['streamed chat completions', '/v1/chat/completions', (text) => ({ ...chat(text), ...STREAM })],
  ['completions', '/v1/completions', (prompt) => ({ prompt })],
  ['completions of three answers', '/v1/completions', (prompt) => ({ prompt, n: 3 })],
  ['streamed completions of three answers', '/v1/completions', (prompt) => ({ prompt, n: 3, ...STREAM })],
  ['streamed completions', '/v1/completions', (prompt) => ({ prompt, ...STREAM })],
  ['generate', '/generate', (text) => ({ text, sampling_params: { max_new_tokens: 2 } })],
];

describe('with all tiers', () => {
  let folder: string;
  let server: TestServer;
  beforeAll(async () => {
    folder = await temporaryFolder();
    server = await startSharedServer(...storageIn(folder));
  });
  afterEach(() => expectHealthy(server));
  afterAll(() => server?.kill());

  it('/flush_cache drops L1 and L2, and leaves L3, which then is read', async () => {
    const question = { text: words(20, 9) };
    const { promptTokens, tokens } = await ask(server, question);
    expect((await ask(server, question)).cached.host).toBe(promptTokens - 1);
    expect((await server.get('/flush_cache?timeout=10')).status).toBe(200);
    for (const tier of ['device', 'host'])
      expect(await server.metric('tier_used_tokens', `tier="${tier}"`)).toBe(0);
    expect((await filesIn(folder)).length).toBe(Math.floor((promptTokens + tokens.length - 1) / 8));
    const storage = Math.floor((promptTokens - 1) / 8) * 8;
    expect((await ask(server, question)).cached).toMatchObject({ device: 0, host: 0, storage });
    expect((await ask(server, question)).cached.host).toBe(promptTokens - 1);
  });

  it('/flush_cache is refused while a request runs, and waits for its end when it is told to', async () => {
    const running = server.post('/v1/completions', { prompt: 'x', max_tokens: 200, ignore_eos: true });
    await expect.poll(async () => (await server.info()).in_flight, { interval: 2 }).toBe(1);
    const refused = await server.get('/flush_cache');
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain('#running-req=1');
    const waits = server.get('/flush_cache?timeout=30');
    expect((await running).status).toBe(200);
    expect((await waits).status).toBe(200);
    expect(await server.metric('tier_used_tokens')).toBe(0);
  });

  it('answers on every route say the same of cached tokens', async () => {
    for (const [i, [name, route, body]] of ROUTES.entries()) {
      const text = words(20, 21 + 11 * i);
      // The template's first words are those of every conversation.
      const common = route.includes('chat') ? 24 : 0;
      const first = await usageOf(server, route, body(text));
      expect(first.prompt_tokens_details.cached_tokens, name).toBeLessThanOrEqual(common);
      const again = await usageOf(server, route, body(text));
      const host = again.prompt_tokens - 1;
      expect(again.prompt_tokens_details, name).toEqual({
        cached_tokens: host,
        cached_tokens_details: { device: 0, host, storage: 0, storage_backend: 'file' },
      });
    }
    await expectHealthy(server);
  });

  it('nothing is shared with another salt or key, and everything with the same', async () => {
    // Its first token is nobody else's.
    const text = `Zebra ${words(20, 75)}`;
    const namespaces: object[] = [
      {},
      { cache_salt: 'a' },
      { cache_salt: 'b' },
      { extra_key: 'a' },
      { extra_key: 'a', cache_salt: 'a' },
    ];
    for (const fields of namespaces)
      expect(total((await ask(server, { text, fields })).cached), JSON.stringify(fields)).toBe(0);
    for (const fields of namespaces) {
      const { cached, promptTokens } = await ask(server, { text, fields });
      expect(total(cached), JSON.stringify(fields)).toBeGreaterThan(promptTokens - 9);
    }
  });

  it('the log tells cached tokens, and nothing shows the configuration of the storage', async () => {
    const question = { text: words(20, 86) };
    const { promptTokens } = await ask(server, question);
    await ask(server, question);
    const cached = `"cached":{"device":0,"host":${promptTokens - 1},"storage":0}`;
    await expect.poll(() => server.log).toContain(cached);
    const info = JSON.stringify(await server.info());
    expect(info).toContain('"storageConfig":"***"');
    expect(info + server.log).not.toContain(folder);
  });

  it('/metrics has every family of the tiers with its labels', async () => {
    for (const _round of [1, 2]) await expectRightAnswers(server, right);
    const own = [...(await server.samples()).keys()].filter((name) => name.includes('rank="0"'));
    for (const name of own) expect(name).toMatch(/model="tierkv-tiny"/);
    for (const [family, ...labels] of [
      ['tier_used_tokens', 'tier="device"'],
      ['tier_used_tokens', 'tier="host"'],
      ['tier_capacity_tokens', 'tier="host"'],
      ['evicted_tokens_total', 'tier="device"'],
      ['evicted_tokens_total', 'tier="host"'],
      ['load_back_tokens_total'],
      ['load_back_duration_seconds_count'],
      ['backup_tokens_total', 'from="device"', 'to="host"'],
      ['backup_tokens_total', 'from="host"', 'to="storage"'],
      ['backup_duration_seconds_count', 'from="host"', 'to="storage"'],
      ['storage_op_duration_seconds_count', 'op="write"', 'outcome="ok"', 'storage_backend="file"'],
      ['storage_bytes_total', 'op="write"', 'storage_backend="file"'],
      ['storage_inflight', 'op="write"', 'storage_backend="file"'],
      ['storage_queue_depth', 'op="write"'],
      ['storage_used_bytes', 'storage_backend="file"'],
      ['storage_quota_bytes', 'storage_backend="file"'],
    ] as const) {
      const all = ['rank="0"', ...labels];
      const found = own.filter(
        (name) => name.startsWith(`tierkv_${family}{`) && all.every((label) => name.includes(label)),
      );
      expect(found, `${family} ${labels.join()}`).not.toEqual([]);
    }
    const text = await (await server.get('/metrics')).text();
    for (const family of [
      'prefetched_tokens_total',
      'prefetch_unfulfilled_tokens_total',
      'storage_errors_total',
      'storage_pages_rejected_total',
    ])
      expect(text).toContain(`# TYPE tierkv_${family} counter`);
  });
});

describe('with fewer tiers', () => {
  it('answers name no tiers where that is turned off', async () => {
    const server = await startCacheServer('--no-enable-cache-report');
    for (const [i, [name, route, body]] of ROUTES.entries()) {
      await usageOf(server, route, body(words(20, 100 + i)));
      const { prompt_tokens, prompt_tokens_details } = await usageOf(server, route, body(words(20, 100 + i)));
      expect(prompt_tokens_details, name).toEqual({ cached_tokens: prompt_tokens - 1 });
    }
  });

  it('answers name no backend, and nothing comes from a tier that is turned off', async () => {
    const device = await startCacheServer('--disable-hierarchical-cache');
    const off = await startCacheServer('--disable-radix-cache');
    const question = { text: words(20, 1) };
    for (const server of [device, off]) await ask(server, question);
    const again = await ask(device, question);
    const nothing = { device: 0, host: 0, storage: 0, storage_backend: null };
    expect(again.cached).toEqual({ ...nothing, device: again.promptTokens - 1 });
    expect((await ask(off, question)).cached).toEqual(nothing);
    for (const server of [device, off])
      expect(await server.metric('tier_capacity_tokens', 'tier="host"')).toBe(0);
  });

  it('a storage without an L2 that its pages could come to is not used, and the log says so', async () => {
    const storage = storageIn(await temporaryFolder());
    const server = await startCacheServer('--hicache-ratio', '0.01', ...storage);
    expect(server.log).toContain('L2 has no room for a page');
    await ask(server, QUESTIONS[0]!);
    expect(await server.metric('storage_op_duration_seconds_count')).toBe(0);
    await expectHealthy(server);
  });

  it('without a store that cannot be reached a server serves, and says why', async () => {
    const file = path.join(await temporaryFolder(), 'file');
    await writeFile(file, 'no folder');
    const server = await startCacheServer(...storageIn(path.join(file, 'below')));
    await expectRightAnswers(server, right);
    await expect.poll(() => server.log).toContain('serves without its storage');
    expect(server.log).toContain('ENOTDIR');
    const { cached } = await ask(server, QUESTIONS[0]!);
    expect(cached).toMatchObject({ storage: 0, storage_backend: null });
    await expectHealthy(server);
  });
});
