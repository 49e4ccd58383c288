import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { complaintOf, type Ended, tierkv } from '../support/command.ts';
import { startServer, type TestServer } from '../support/server.ts';

const KEY = 'sesame-admin-key';
const ROUTE = '/hicache/storage-backend';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const keys = ['--api-key', 'client-key', '--admin-api-key', KEY];
  // Room for an answer that is longer than several commands take.
  const room = ['--context-length', '60000', '--max-total-tokens', '60160'];
  server = await startServer(['--dp-size', '2', '--page-size', '8', ...room, ...keys]);
});
afterAll(async () => {
  await server.kill();
});

/** `tierkv storage …` with the right key. */
function storage(command: string, ...flags: string[]): Promise<Ended> {
  const [name = '', ...rest] = command.split(' ');
  return tierkv(['storage', name, ...rest, '--url', server.url, ...flags], { TIERKV_ADMIN_API_KEY: KEY });
}

/** What a command that must succeed prints. */
async function output(command: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await storage(command, ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function json(command: string, ...flags: string[]): Promise<unknown> {
  const text = await output(command, '--json', ...flags);
  expect(text).toMatch(/^\{.*\}\n$/);
  return JSON.parse(text);
}

async function complaint(command: string, ...flags: string[]): Promise<string> {
  const ended = await storage(command, ...flags);
  expect(ended.stdout).toBe('');
  return complaintOf(ended);
}

const config = (more: object = {}) => JSON.stringify({ path: folder, min_free_space: 0, ...more });
const rows = (table: string) =>
  table.split('\n').flatMap((line) =>
    line.startsWith('│')
      ? [
          line
            .slice(1, -1)
            .split('│')
            .map((cell) => cell.trim()),
        ]
      : [],
  );

describe('a storage backend, from attach to detach', () => {
  it('is tried out first, and nothing is changed', async () => {
    const checks = rows(await output('check file', '--extra-config', config()));
    expect(checks[0]).toEqual(['check', 'result', 'ms', 'detail']);
    expect(checks.slice(1).map(([name, result]) => `${name} ${result}`)).toEqual(
      ['config', 'connect', 'limits', 'version', 'write', 'read', 'remove'].map((name) => `${name} ok`),
    );
    expect(await json('check memory', '--timeout', '20')).toMatchObject({ ok: true });
    expect(rows(await output('status'))).toEqual(expect.arrayContaining([['storage backend', 'none']]));
  });

  it('is attached with what a file says, on every rank', async () => {
    const file = path.join(await temporaryFolder(), 'storage.yaml');
    await writeFile(file, `path: ${folder}\nmin_free_space: 0\nprefetch_threshold: 8\n`);
    const policies = ['--prefetch-policy', 'wait_complete', '--write-policy', 'write_through'];
    const text = await output('attach file', '--extra-config', `@${file}`, '--mode', 'idle', ...policies);
    expect(text).toBe('HiCache storage backend attached.\nrank 0: attached\nrank 1: attached\n');
    expect(await json('status')).toMatchObject({
      hicache_storage_backend: 'file',
      hicache_storage_backend_extra_config: JSON.stringify({
        path: folder,
        min_free_space: 0,
        prefetch_threshold: 8,
      }),
      hicache_storage_prefetch_policy: 'wait_complete',
      prefetch: { threshold: 8 },
    });
  });

  it('is shown, with a row for each rank', async () => {
    const shown = rows(await output('status'));
    const at = shown.findIndex(([first]) => first === 'rank');
    expect(Object.fromEntries(shown.slice(0, at))).toEqual({
      'storage backend': expect.stringMatching(/^file, attached \d{4}-\d\d-\d\dT[\d:]+Z, epoch \d+$/),
      state: 'attached',
      'prefetch policy': expect.stringMatching(/^wait_complete \(from 8 tokens; .* 30 s at most\)$/),
      'write policy': 'write_through',
      operation: 'none',
    });
    expect(shown.slice(at + 1).map((row) => row.slice(0, 3))).toEqual([
      ['0', 'attached', 'healthy'],
      ['1', 'attached', 'healthy'],
    ]);
  });

  it('takes new policies', async () => {
    const text = await output('attach file', '--prefetch-policy', 'best_effort');
    expect(text).toContain('rank 1: attached already; policies updated\n');
  });

  it('loses its pages to clear, and says how many', async () => {
    const headers = { authorization: 'Bearer client-key', 'content-type': 'application/json' };
    await server.post('/v1/completions', { prompt: 'word '.repeat(40), max_tokens: 1 }, { headers });
    await expect.poll(() => filesIn(folder), { timeout: 10_000 }).not.toHaveLength(0);
    const stored = (await filesIn(folder)).length;
    const text = await output('clear', '--scope', 'model', '--timeout', '10');
    const [head, ...ranks] = rows(text);
    expect(head).toEqual(['rank', 'removed pages']);
    expect(ranks.map(([rank]) => rank)).toEqual(['0', '1']);
    const total = Number(/removed pages of the served model: (\d+)\n$/.exec(text)?.[1]);
    expect(total).toBeGreaterThanOrEqual(stored);
    expect(ranks.reduce((sum, [, removed]) => sum + Number(removed), 0)).toBe(total);
    expect(await filesIn(folder)).toHaveLength(0);
    expect(await json('clear', '--scope', 'all')).toMatchObject({ ok: true, scope: 'all', removed: 0 });
    expect(await output('clear', '--scope', 'all')).toContain('removed pages of every model: 0\n');
  });

  it('is not replaced by attach, but by switch', async () => {
    expect(await complaint('attach memory')).toMatch(/'file' is attached.*\(storage_attached\)$/);
    const flags = ['--read-through', '1', '--no-backfill', '--mode', 'live', '--timeout', '20'];
    expect(await output('switch memory', ...flags)).toBe(
      'HiCache storage backend attached.\nrank 0: switched\nrank 1: switched\n',
    );
  });

  it('is detached, again and again', async () => {
    expect(await output('detach', '--mode', 'drain', '--timeout', '20')).toBe(
      'HiCache storage backend detached.\nrank 0: detached\nrank 1: detached\n',
    );
    expect(await json('detach')).toMatchObject({
      ok: true,
      message: 'HiCache storage backend detached.',
      ranks: [{ rank: 0, message: 'nothing was attached' }, { rank: 1 }],
    });
  });
});

describe('what the server refuses is its message and its code', () => {
  it.each([
    [
      'attach nosuch',
      [],
      /^Failed to attach .* no storage backend 'nosuch'; .* \(storage_unknown_backend\)$/,
    ],
    ['attach file', ['--extra-config', '{"pathh": 1}'], /'pathh' is not known here.*\(storage_config\)$/],
    ['attach file', ['--extra-config', '{"path": '], /must be valid JSON.*\(storage_config\)$/],
    ['switch nosuch', [], /\(storage_unknown_backend\)$/],
    ['clear', [], /^No storage backend is attached\. \(storage_not_attached\)$/],
  ])('%s %j', async (command, flags, line) => {
    expect(await complaint(command, ...flags)).toMatch(line);
  });

  it('and its JSON, with --json', async () => {
    const ended = await storage('attach file', '--json', '--extra-config', '{"pathh": 1}');
    expect(complaintOf(ended)).toMatch(/\(storage_config\)$/);
    const rank = { ok: false, message: expect.stringContaining('pathh') };
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: {
        code: 'storage_config',
        details: {
          ranks: [
            { rank: 0, ...rank },
            { rank: 1, ...rank },
          ],
        },
      },
    });
  });

  it('and every check until the one that fails', async () => {
    const flags = ['--extra-config', config({ path: '/proc/nosuch' })];
    const ended = await storage('check file', ...flags);
    expect(complaintOf(ended)).toMatch(/does not pass 'connect'.*\(storage_check_failed\)$/);
    expect(rows(ended.stdout).map(([name, result]) => `${name} ${result}`)).toEqual([
      'check result',
      'config ok',
      'connect failed',
    ]);
    const asJson = await storage('check file', '--json', ...flags);
    complaintOf(asJson);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { details: { ok: false } } });
  });

  it('while it is busy, unless the change is live', async () => {
    const gone = new AbortController();
    const headers = { authorization: 'Bearer client-key', 'content-type': 'application/json' };
    const body = { prompt: 'The cache', max_tokens: 50_000, ignore_eos: true, stream: true };
    await server.post('/v1/completions', body, { headers, signal: gone.signal });
    expect(await complaint('attach memory')).toMatch(
      /scheduler is not idle\..*#running-req=1.*blocked-by: .*running=1.*\(scheduler_not_idle\)$/,
    );
    expect(await complaint('detach', '--mode', 'drain', '--timeout', '0.5')).toMatch(
      /blocked-by: .*running=1.*\(deadline_exceeded\)$/,
    );
    expect(await output('attach memory', '--mode', 'live')).toContain('rank 0: attached\n');
    gone.abort();
    expect(await output('detach', '--mode', 'drain')).toContain('rank 0: detached\n');
  });

  it('when it has no admin key', async () => {
    const open = await startServer();
    const url = ['--url', open.url];
    expect(complaintOf(await tierkv(['storage', 'status', ...url]))).toMatch(/\(admin_key_missing\)$/);
    await open.kill();
  });

  it('when it is told to read a file: only commands do', async () => {
    const response = await fetch(server.url + ROUTE, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'x-api-key': KEY },
      body: JSON.stringify({
        hicache_storage_backend: 'file',
        hicache_storage_backend_extra_config_json: `@${import.meta.filename}`,
      }),
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('files are read by the command line only');
  });
});

describe('a server that is asked in a wrong way is one clear line', () => {
  it('when there is no such path, or no TLS', async () => {
    const ask = (url: string) => storage('status', '--url', url);
    expect(complaintOf(await ask(`${server.url}/v1/`))).toMatch(/\(route_not_found\)$/);
    expect(complaintOf(await ask(server.url.replace('http:', 'https:')))).toMatch(/cannot be reached/);
  });

  it('when the key is wrong, missing, or none that could be sent', async () => {
    const keyed = (...flags: string[]) => tierkv(['storage', 'status', '--url', server.url, ...flags]);
    expect(complaintOf(await keyed('--admin-api-key', 'wrong-key'))).toBe(
      `${server.url} refuses this admin API key.`,
    );
    expect(complaintOf(await keyed('--admin-api-key', 'client-key'))).toContain('refuses this admin API key');
    expect(complaintOf(await keyed())).toContain('give it with --admin-api-key or TIERKV_ADMIN_API_KEY');
    for (const key of ['', 'hunter2\n', 'hünter'])
      expect(complaintOf(await keyed('--admin-api-key', key))).toMatch(
        /^--admin-api-key \(TIERKV_ADMIN_API_KEY\) is (empty|not made of visible ASCII characters alone)\.$/,
      );
  });
});

describe('secrets', () => {
  const SECRET = 'hunter2-of-the-store';

  it('are in no output of a server that refuses or shows them', async () => {
    const given = ['--extra-config', config({ password: SECRET })];
    for (const command of ['attach file', 'switch file', 'check file']) {
      const { code, stdout, stderr } = await storage(command, ...given);
      expect(code).toBe(1);
      expect(stdout + stderr).not.toContain(SECRET);
    }
    const { code, stdout } = await storage('status', '--json');
    expect(code).toBe(0);
    expect(stdout).not.toMatch(new RegExp(`${SECRET}|${KEY}`));
  });
});

it('the server has served all the while', async () => {
  await rm(folder, { recursive: true, force: true });
  const headers = { authorization: 'Bearer client-key', 'content-type': 'application/json' };
  const response = await server.post('/v1/completions', { prompt: 'x', max_tokens: 1 }, { headers });
  expect(response.status).toBe(200);
});
