/** Layers that an operator asks for, on a server that runs: encryption, compression, and the breaker by hand. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { ask, rightAnswers, startSharedServer, words } from '../support/cache-server.ts';
import { tierkv } from '../support/command.ts';
import { expectSameAnswer, type GreedyAnswer, type TestServer } from '../support/server.ts';
import {
  ADMIN_KEY,
  attach,
  call,
  detach,
  errorOf,
  flush,
  STORAGE,
  storageStatus,
  WITH_ADMIN_KEY,
} from '../support/storage-api.ts';

const QUESTION = { text: words(40, 3) };
const BREAKER = `${STORAGE}/breaker`;

let server: TestServer;
let right: GreedyAnswer;
let folder: string;
let keys: string;
beforeAll(async () => {
  [folder, keys] = [await temporaryFolder(), await temporaryFolder()];
  for (const name of ['one', 'two'])
    await writeFile(path.join(keys, name), randomBytes(32).toString('base64'), { mode: 0o600 });
  [right] = (await rightAnswers([QUESTION])) as [GreedyAnswer];
  server = await startSharedServer(...WITH_ADMIN_KEY);
});
afterAll(() => server?.kill());

const rank = async () => (await storageStatus(server)).ranks[0]!;
const keyFile = (name: string) => path.join(keys, name);
const config = (key: string, more: object = {}) => ({
  path: folder,
  min_free_space: 0,
  prefetch_threshold: 8,
  compress: true,
  encrypt: { key_file: keyFile(key), ...more },
});
const WAITING = { hicache_storage_prefetch_policy: 'wait_complete' };

/** Asks the question with nothing of it in L1 and L2, and expects the right answer. Returns the tokens from L3. */
async function tokensFromStorage(): Promise<number> {
  await flush(server);
  const answer = await ask(server, QUESTION);
  expectSameAnswer(answer, right);
  await server.expectIdle();
  return answer.cached.storage;
}

/** A storage that was slow a moment ago, as on a busy machine, is not asked for a while: computing is quicker. */
const expectStored = () => expect.poll(tokensFromStorage, { timeout: 20_000 }).toBeGreaterThan(8);

it('pages come back from a store that holds nothing of them in clear', async () => {
  expect((await attach(server, config('one'), WAITING)).status).toBe(200);
  expect(await tokensFromStorage()).toBe(0);
  await expectStored();
  const files = await filesIn(folder);
  expect(files.length).toBeGreaterThan(2);
  const lengths = new Set<number>();
  for (const file of files) {
    const stored = await readFile(path.join(folder, file));
    expect(stored.toString('latin1', 0, 3)).toBe('TKE');
    expect(stored.includes('TKVP')).toBe(false);
    lengths.add(stored.length);
  }
  // Pages are alike, and what is left of each by compressing it is not.
  expect(lengths.size).toBeGreaterThan(1);
  expect(await server.metric('storage_pages_rejected_total')).toBe(0);
});

it('the breaker is closed; held open by hand, nothing comes from the store and nothing fails; released, it does again', async () => {
  expect(await rank()).toMatchObject({ breaker: 'closed', health: 'healthy', errors: 0 });
  expect(await server.metric('storage_breaker_state', 'state="closed"')).toBe(1);
  const held = await call(server, 'POST', BREAKER, { state: 'open' });
  expect(held.status, held.text).toBe(200);
  expect(JSON.parse(held.text)).toMatchObject({
    ok: true,
    message: 'The breaker is held open.',
    ranks: [{ rank: 0, message: 'held open' }],
  });
  const { pages_read, pages_written } = await rank();
  expect(await tokensFromStorage()).toBe(0);
  expect(await rank()).toMatchObject({
    state: 'attached',
    breaker: 'held',
    health: 'healthy',
    errors: 0,
    last_error: null,
    pages_read,
    pages_written,
  });
  expect(await server.metric('storage_breaker_state', 'state="held"')).toBe(1);
  expect(await server.metric('storage_breaker_state')).toBe(1);
  expect(await server.metric('storage_errors_total')).toBe(0);
  const audit = server.log.split('\n').filter((line) => line.includes('"kind":"breaker_open"'));
  expect(audit.map((line) => JSON.parse(line) as object)).toMatchObject([
    { msg: 'storage operation', outcome: 'ok', by: { key: 'admin-api-key' } },
  ]);

  const released = await tierkv(['storage', 'breaker', 'auto', '--url', server.url], {
    TIERKV_ADMIN_API_KEY: ADMIN_KEY,
  });
  expect(released).toMatchObject({
    code: 0,
    stdout: 'The breaker opens and closes by itself.\nrank 0: opens and closes by itself\n',
  });
  await expect.poll(async () => (await rank()).breaker).toBe('closed');
  await expectStored();
  for (const op of ['open', 'auto'])
    expect(await server.metric('storage_operations_total', `op="breaker_${op}"`, 'outcome="ok"')).toBe(1);
});

it('what was cleared while it is held is gone', async () => {
  await call(server, 'POST', BREAKER, { state: 'open' });
  const cleared = await call(server, 'POST', `${STORAGE}/clear`, {});
  expect(cleared.status, cleared.text).toBe(200);
  expect(await filesIn(folder)).toEqual([]);
  await call(server, 'POST', BREAKER, { state: 'auto' });
  await expect.poll(async () => (await rank()).breaker).toBe('closed');
  expect(await tokensFromStorage()).toBe(0);
  await expectStored();
});

it('with another key pages are misses and counted; with the old one among its keys they come back', async () => {
  const switched = { ...WAITING, switch: true, backfill: false };
  expect((await attach(server, config('two'), switched)).status).toBe(200);
  expect(await tokensFromStorage()).toBe(0);
  const counted = await server.metric('storage_pages_rejected_total', 'reason="unknown_key"');
  expect(counted).toBeGreaterThan(0);
  // They were written again meanwhile, with the new key.
  await expectStored();
  const rotated = config('one', { old_key_files: [keyFile('two')] });
  expect((await attach(server, rotated, switched)).status).toBe(200);
  await expectStored();
  const { hicache_storage_backend_extra_config } = await storageStatus(server);
  expect(JSON.parse(hicache_storage_backend_extra_config ?? '')).toEqual(rotated);
});

it('what makes no sense is refused, and a key in a configuration too, which is shown nowhere', async () => {
  const key = 'ab'.repeat(32);
  const literal = errorOf(
    await attach(server, { ...config('one'), encrypt: { key } }, { switch: true }),
    400,
  );
  expect(literal.code).toBe('storage_config');
  expect(literal.message).toContain("'encrypt.key' must be");
  expect(server.log).not.toContain(key);
  expect(
    errorOf(await attach(server, { ...config('one'), quota: '1GB' }, { switch: true }), 400).message,
  ).toContain("use 'max_size'");
  const missing = await attach(server, { ...config('nosuch') }, { switch: true });
  expect(errorOf(missing, 400)).toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining("'encrypt.key_file' cannot be read: ENOENT"),
  });
  expect(errorOf(await call(server, 'POST', BREAKER, { state: 'ajar' }), 400).code).toBe('invalid_value');
  expect((await call(server, 'POST', BREAKER, { state: 'open' }, {})).status).toBe(401);
  await server.expectIdle();
  expect((await detach(server)).status).toBe(200);
  expect(errorOf(await call(server, 'POST', BREAKER, { state: 'open' }), 400).code).toBe(
    'storage_not_attached',
  );
  expect(await server.metric('storage_breaker_state')).toBe(0);
});
