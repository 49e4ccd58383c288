import { afterEach, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';

const KEY = 'admin';
const URL = '/hicache/storage-backend';
const HEADERS = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };

const started: TestServer[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())));

async function start(...flags: string[]): Promise<TestServer> {
  const server = await startServer(['--dp-size', '3', '--admin-api-key', KEY, ...flags]);
  started.push(server);
  return server;
}

function attach(server: TestServer, path: string, more: object = {}): Promise<Response> {
  const config = { hicache_storage_backend_extra_config_json: { path }, ...more };
  const body = JSON.stringify({ hicache_storage_backend: 'file', ...config });
  return fetch(server.url + URL, { method: 'PUT', headers: HEADERS, body });
}

/** What every rank says: its state, and the number of its attachment. */
async function ranks(server: TestServer): Promise<string[]> {
  const status = (await (await server.get(URL, HEADERS)).json()) as {
    ranks: { state: string; epoch?: number | null }[];
  };
  return status.ranks.map(({ state, epoch }) => `${state} ${epoch}`);
}

it('O1: a rank that was killed takes what was decided before it serves again', async () => {
  const server = await start();
  expect((await attach(server, await temporaryFolder())).status).toBe(200);
  const before = await ranks(server);
  expect(new Set(before).size).toBe(1);
  process.kill(server.rankPids()[1]!, 'SIGKILL');
  // Decided while it is away.
  await expect.poll(async () => (await server.info()).ranks[1]?.state).not.toBe('ready');
  const switched = await attach(server, await temporaryFolder(), { switch: true });
  expect(switched.status, await switched.text()).toBe(200);
  await expect.poll(async () => (await server.info()).ranks[1]?.state, { timeout: 20_000 }).toBe('ready');
  const after = await ranks(server);
  expect(after).toEqual(Array(3).fill(after[0]));
  expect(after[0]).not.toEqual(before[0]);
});

it('S10: a rank that is stopped in the middle keeps no other rank from what was decided, and follows', async () => {
  const server = await start();
  const stopped = server.rankPids()[2]!;
  process.kill(stopped, 'SIGSTOP');
  const refused = await attach(server, await temporaryFolder(), { timeout: 2 });
  expect(refused.status).toBe(504);
  expect(await refused.text()).toContain('rank 2');
  process.kill(stopped, 'SIGCONT');
  await expect.poll(() => ranks(server)).toEqual(Array(3).fill('detached null'));
  const next = await attach(server, await temporaryFolder());
  expect(next.status, await next.text()).toBe(200);
  expect(await ranks(server)).toEqual(Array(3).fill(expect.stringContaining('attached')));
});

it('S7: a rank whose storage is gone when it comes back serves without, and gets it back when it is attached again', async () => {
  const folder = await temporaryFolder();
  const server = await start();
  // Only rank 1 has a folder that can go away.
  const path = `${folder}/{rank}/pages`;
  expect((await attach(server, path)).status).toBe(200);
  const { rename, writeFile, rm } = await import('node:fs/promises');
  await rename(`${folder}/1`, `${folder}/gone`);
  await writeFile(`${folder}/1`, 'no folder');
  process.kill(server.rankPids()[1]!, 'SIGKILL');
  await expect.poll(async () => (await server.info()).ranks[1]?.restarts).toBe(1);
  await expect.poll(async () => (await server.info()).ranks[1]?.state, { timeout: 20_000 }).toBe('ready');
  expect((await ranks(server))[1]).toBe('failed null');
  expect(server.log).toContain('serves without its storage');
  await rm(`${folder}/1`);
  expect((await attach(server, path)).status).toBe(200);
  expect((await ranks(server)).map((rank) => rank.split(' ')[0])).toEqual(Array(3).fill('attached'));
});
