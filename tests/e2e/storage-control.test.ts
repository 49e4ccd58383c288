/** Trying a backend out, clearing it, and what a server says of its storage: status, metrics and log. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import {
  ask,
  expectRightAnswers,
  QUESTIONS,
  rightAnswers,
  startSharedServer,
  words,
} from '../support/cache-server.ts';
import { expectSameAnswer, greedy, STEADY_PROMPTS, type TestServer } from '../support/server.ts';
import {
  ADMIN_KEY,
  type Answer,
  attach,
  attachBody,
  call,
  detach,
  errorOf,
  flush,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  server = await startSharedServer(...WITH_ADMIN_KEY);
});
afterEach(async () => {
  await server.expectIdle();
  expect((await detach(server)).status).toBe(200);
});
afterAll(() => server?.kill());

const config = (where = folder) => ({ path: where, min_free_space: 0, prefetch_threshold: 8 });
const rank = async () => (await storageStatus(server)).ranks[0]!;

async function check(body: object) {
  const answer = await call(server, 'POST', `${STORAGE}/check`, body);
  return { ...answer, json: JSON.parse(answer.text) as Record<string, unknown> };
}

describe('W1: prompts that were computed while nothing was attached', () => {
  it('are stored when a backend is, come back after a flush, and answers are right', async () => {
    const right = await rightAnswers();
    await expectRightAnswers(server, right);
    // Nothing is read yet: later reads depend on how quick the first ones were.
    const unread = { ...config(), prefetch_threshold: 100_000 };
    expect((await attach(server, unread)).status).toBe(200);
    // Below what was computed before, and above it.
    await expectRightAnswers(server, right);
    await server.expectIdle();
    const used = async () => (await server.info()).ranks[0]?.report?.cache.hostPages.used;
    const written = async () => (await filesIn(folder)).length >= Number(await used());
    await expect.poll(written, { timeout: 10_000 }).toBe(true);
    await flush(server);
    const policy = { hicache_storage_prefetch_policy: 'wait_complete' };
    expect((await attach(server, config(), policy)).status).toBe(200);
    const i = QUESTIONS.length - 1;
    const answer = await ask(server, QUESTIONS[i]!);
    expectSameAnswer(answer, right[i]!);
    expect(answer.cached.storage).toBeGreaterThan(answer.promptTokens - 9);
    expect((await rank()).pages_read).toBeGreaterThanOrEqual(answer.cached.storage / 8);
    await flush(server);
    await expectRightAnswers(server, right);
    expect(await server.metric('storage_pages_rejected_total')).toBe(0);
  });

  it('are written in the background, unless that is turned off', async () => {
    const [lazy, eager] = [await temporaryFolder(), await temporaryFolder()];
    await greedy(server, STEADY_PROMPTS[0]);
    await server.expectIdle();
    await attach(server, config(lazy), { backfill: false });
    await detach(server);
    await attach(server, config(eager));
    await expect.poll(async () => (await filesIn(eager)).length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(await filesIn(lazy)).toEqual([]);
  });
});

describe('check', () => {
  it('goes through its steps, and changes neither the server nor the store', async () => {
    const where = await temporaryFolder();
    await writeFile(path.join(where, 'notes.txt'), 'mine');
    for (const attached of [false, true]) {
      if (attached) await attach(server, config(), { backfill: false });
      const { bytes_used: _, ...before } = await rank();
      const { status, json } = await check(attachBody({ ...config(where), prefetch_threshold: 77 }));
      expect(status).toBe(200);
      const checks = json.checks as { name: string; ok: boolean; ms: number; detail: string }[];
      expect(checks.map(({ name }) => name)).toEqual([
        'config',
        'connect',
        'limits',
        'version',
        'write',
        'read',
        'remove',
      ]);
      for (const step of checks)
        expect(step).toEqual({
          name: step.name,
          ok: true,
          ms: expect.any(Number),
          detail: expect.any(String),
        });
      expect(await filesIn(where)).toEqual(['notes.txt']);
      expect(await rank()).toMatchObject(before);
    }
    expect((await storageStatus(server)).prefetch).toMatchObject({ threshold: 8 });
  });

  it('says which step failed, and why', async () => {
    const file = path.join(await temporaryFolder(), 'file');
    await writeFile(file, 'no folder');
    const unreachable = await check(attachBody({ path: path.join(file, 'below') }));
    const { message, code } = errorOf(unreachable, 400);
    expect(code).toBe('storage_check_failed');
    expect(message).toMatch(/^Storage backend 'file' does not pass 'connect': ENOTDIR/);
    expect(unreachable.json).toMatchObject({
      error: {
        details: {
          ok: false,
          checks: [
            { name: 'config', ok: true },
            { name: 'connect', ok: false },
          ],
        },
      },
    });
    for (const body of [
      attachBody({ pth: 1 }),
      attachBody('@file'),
      attachBody({ prefetch_threshold: 0 }),
      attachBody({}, { hicache_storage_backend: 'nosuch' }),
      attachBody({}, { hicache_write_policy: 'bogus' }),
    ])
      expect(errorOf(await check(body), 400).message).toContain("does not pass 'config'");
    expect((await storageStatus(server)).state).toBe('detached');
  });
});

describe('O4: clear', () => {
  const other = 'ab'.repeat(32);
  const page = 'cd'.repeat(32);
  const foreign = ['notes.txt', `${other}/cd/notes.txt`, `${other}/cd/cd.page`];
  const theirs = `${other}/cd/${page}.page`;

  async function clear(body?: object) {
    const answer = await call(server, 'POST', `${STORAGE}/clear`, body);
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as { scope: string; removed: number };
  }

  it('removes the pages of the model or of all models, counts them, and leaves all else alone', async () => {
    const where = await temporaryFolder();
    await mkdir(path.join(where, other, 'cd'), { recursive: true });
    for (const file of [...foreign, theirs]) await writeFile(path.join(where, file), 'x');
    await attach(server, config(where), { backfill: false });
    await greedy(server, STEADY_PROMPTS[1]);
    await flush(server);
    const pages = (await filesIn(where)).length - foreign.length - 1;
    expect(pages).toBe((await rank()).pages_written);
    expect(await clear()).toEqual({
      ok: true,
      scope: 'model',
      removed: pages,
      duration_ms: expect.any(Number),
      ranks: [{ rank: 0, removed: pages }],
    });
    expect(await filesIn(where)).toEqual([...foreign, theirs].toSorted());
    expect(await clear({})).toMatchObject({ removed: 0 });
    // What was cleared is computed, and then stored again.
    const { pages_read } = await rank();
    await greedy(server, STEADY_PROMPTS[1]);
    await flush(server);
    expect((await rank()).pages_read).toBe(pages_read);
    expect(await clear({ scope: 'all' })).toMatchObject({ scope: 'all', removed: pages + 1 });
    expect(await filesIn(where)).toEqual([...foreign].toSorted());
  });

  it('is refused where nothing is attached, and for a scope that there is not', async () => {
    const route = `${STORAGE}/clear`;
    expect(errorOf(await call(server, 'POST', route, {}), 400).code).toBe('storage_not_attached');
    expect(errorOf(await call(server, 'POST', route, { scope: 'mine' }), 400).code).toBe('invalid_value');
    expect(errorOf(await call(server, 'POST', route, { nosuch: 1 }), 400).code).toBe('invalid_value');
  });
});

describe('S7: a store that is down', () => {
  it('when it is to be attached is refused, serving goes on, and it is attached once it is back', async () => {
    const where = await temporaryFolder();
    await rm(where, { recursive: true });
    await writeFile(where, 'no folder');
    const answer = await greedy(server, STEADY_PROMPTS[2]);
    await server.expectIdle();
    expect(errorOf(await attach(server, config(where)), 400)).toMatchObject({
      code: 'storage_failed',
      message: expect.stringMatching(/Storage backend 'file': connect: E\w+: (?!.*Storage backend)/),
    });
    expect(await greedy(server, STEADY_PROMPTS[2])).toBe(answer);
    await server.expectIdle();
    await rm(where);
    // What L2 holds would make the folder again while it is taken away.
    expect((await attach(server, config(where), { backfill: false })).status).toBe(200);
    expect(await rank()).toMatchObject({ state: 'attached', health: 'healthy', errors: 0, last_error: null });

    const away = `${where}-away`;
    await rename(where, away);
    await writeFile(where, 'no folder');
    await flush(server);
    expect(await greedy(server, STEADY_PROMPTS[2])).toBe(answer);
    await server.expectIdle();
    expect(await rank()).toMatchObject({ state: 'attached', health: 'failing' });
    const { errors, last_error } = await rank();
    expect(errors).toBeGreaterThan(0);
    expect(last_error).toMatch(/^write: \w+: /);
    await rm(away, { recursive: true });
  });
});

describe('what a server says of its storage', () => {
  it('has every field, from the rank itself', async () => {
    const where = await temporaryFolder();
    const fields = { hicache_storage_prefetch_policy: 'wait_complete', backfill: false };
    await attach(server, config(where), fields);
    const question = { text: words(20, 55) };
    await ask(server, question);
    await flush(server);
    await server.expectIdle();
    const status = await storageStatus(server);
    const { epoch, attached_at } = status;
    expect(status).toEqual({
      hicache_storage_backend: 'file',
      hicache_storage_backend_extra_config: JSON.stringify(config(where)),
      hicache_storage_prefetch_policy: 'wait_complete',
      hicache_write_policy: 'write_through',
      state: 'attached',
      epoch: expect.any(Number),
      attached_at: expect.any(Number),
      prefetch: { threshold: 8, timeout_base: 2, timeout_per_ki_token: 0.1, timeout_max: 30 },
      operation: null,
      ranks: [
        {
          rank: 0,
          state: 'attached',
          epoch,
          backend: 'file',
          health: 'healthy',
          breaker: 'closed',
          blocked_by: [],
          inflight: { prefetch: 0, backup: 0 },
          queued: 0,
          pages_read: expect.any(Number),
          pages_written: (await filesIn(where)).length,
          errors: 0,
          last_error: null,
          bytes_used: expect.any(Number),
        },
      ],
    });
    expect(Math.abs(Number(attached_at) - Date.now() / 1000)).toBeLessThan(600);
  });

  it('O3: status shows what is in effect on the rank, whatever was asked for', async () => {
    await attach(server, config());
    const before = await storageStatus(server);
    const where = await temporaryFolder();
    expect((await attach(server, { ...config(where), prefetch_threshold: 99 })).status).toBe(400);
    expect(await storageStatus(server)).toMatchObject({
      hicache_storage_backend_extra_config: JSON.stringify(config()),
      prefetch: before.prefetch,
      epoch: before.epoch,
    });
    await greedy(server, STEADY_PROMPTS[4]);
    expect(await filesIn(where)).toEqual([]);
  });

  it('/metrics has the state, the number of the attachment, and every operation', async () => {
    await attach(server, config());
    const { epoch } = await storageStatus(server);
    expect(epoch).toBeGreaterThan(0);
    expect(await server.metric('storage_attachment_epoch', 'rank="0"')).toBe(epoch);
    expect(await server.metric('storage_attachment_state', 'rank="0"', 'state="attached"')).toBe(1);
    expect(await server.metric('storage_attachment_state')).toBe(1);
    const count = (...labels: string[]) => server.metric('storage_operations_total', ...labels);
    const before = await count('op="attach"', 'mode="live"', 'outcome="ok"');
    const refused = await count('outcome="storage_policy"');
    const timed = await server.metric('storage_operation_duration_seconds_count', 'op="detach"');
    await attach(server, {}, { mode: 'live' });
    await attach(server, {}, { hicache_write_policy: 'bogus' });
    const other = await temporaryFolder();
    expect((await attach(server, config(other), { switch: true })).status).toBe(200);
    expect((await detach(server, '?mode=drain')).status).toBe(200);
    expect(await count('op="attach"', 'mode="live"', 'outcome="ok"')).toBe(before + 1);
    expect(await count('op="attach"', 'mode="idle"', 'outcome="storage_policy"')).toBe(refused + 1);
    expect(await count('op="switch"', 'mode="idle"', 'outcome="ok"')).toBe(1);
    expect(await count('op="detach"', 'mode="drain"', 'outcome="ok"')).toBe(1);
    expect(await server.metric('storage_operation_duration_seconds_count', 'op="detach"')).toBe(timed + 1);
    expect(await server.metric('storage_attachment_state', 'state="detached"')).toBe(1);
    expect(await server.metric('storage_attachment_epoch')).toBe(0);
  });

  it('the log has one line for each operation: who asked, what came of it, and no key', async () => {
    const lineOf = async ({ headers }: Answer) => {
      const id = headers.get('x-request-id') ?? '';
      const lines = () =>
        server.log
          .split('\n')
          .filter((line) => line.includes(id) && line.includes('storage operation'))
          .map((line) => JSON.parse(line) as object);
      await expect.poll(lines).toHaveLength(1);
      return { id, line: lines()[0] };
    };
    const { id, line } = await lineOf(await attach(server, config(), { hicache_write_policy: 'bogus' }));
    expect(line).toMatchObject({
      level: 40,
      operation: expect.any(Number),
      kind: 'attach',
      backend: 'file',
      mode: 'idle',
      by: { key: 'admin-api-key', address: expect.stringMatching(/127\.0\.0\.1|::1/), requestId: id },
      outcome: 'storage_policy',
      ms: expect.any(Number),
      ranks: [{ rank: 0, ok: false, message: expect.stringContaining('bogus') }],
    });
    const bad = attachBody(config('/dev/null/pages'));
    const checked = await lineOf(await call(server, 'POST', `${STORAGE}/check`, bad));
    expect(checked.line).toMatchObject({
      kind: 'check',
      outcome: 'failed',
      ranks: [{ rank: 0, ok: false, message: expect.stringMatching(/^connect: /) }],
    });
    const cleared = await lineOf(await call(server, 'POST', `${STORAGE}/clear`, {}));
    expect(cleared.line).toMatchObject({ kind: 'clear', outcome: 'storage_not_attached' });
    expect(server.log).not.toContain(ADMIN_KEY);
    expect(server.log).not.toContain(folder);
  });
});
