import { rename, rm, writeFile } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { attach, storageStatus, WITH_ADMIN_KEY } from '../support/storage-api.ts';

const started: TestServer[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())));

async function start(): Promise<TestServer> {
  const server = await startServer(['--dp-size', '3', ...WITH_ADMIN_KEY]);
  started.push(server);
  return server;
}

/** What every rank says: its state, and the number of its attachment. */
async function ranks(server: TestServer): Promise<string[]> {
  return (await storageStatus(server)).ranks.map(({ state, epoch }) => `${state} ${epoch}`);
}

async function rankState(server: TestServer, rank: number): Promise<string | undefined> {
  return (await server.info()).ranks[rank]?.state;
}

async function isBack(server: TestServer, rank: number): Promise<void> {
  await expect.poll(() => rankState(server, rank), { timeout: 20_000 }).toBe('ready');
}

it('O1: a rank that was killed takes what was decided before it serves again', async () => {
  const server = await start();
  expect((await attach(server, { path: await temporaryFolder() })).status).toBe(200);
  const before = await ranks(server);
  expect(new Set(before).size).toBe(1);
  process.kill((await server.rankPids())[1]!, 'SIGKILL');
  // Decided while it is away.
  await expect.poll(() => rankState(server, 1)).not.toBe('ready');
  const switched = await attach(server, { path: await temporaryFolder() }, { switch: true });
  expect(switched.status, switched.text).toBe(200);
  await isBack(server, 1);
  const after = await ranks(server);
  expect(after).toEqual(Array(3).fill(after[0]));
  expect(after[0]).not.toEqual(before[0]);
});

it('S10: a rank that is stopped in the middle keeps no other rank from what was decided, and follows', async () => {
  const server = await start();
  const stopped = (await server.rankPids())[2]!;
  process.kill(stopped, 'SIGSTOP');
  const refused = await attach(server, { path: await temporaryFolder() }, { timeout: 2 });
  expect(refused.status).toBe(504);
  expect(refused.text).toContain('rank 2');
  process.kill(stopped, 'SIGCONT');
  await expect.poll(() => ranks(server)).toEqual(Array(3).fill('detached null'));
  const next = await attach(server, { path: await temporaryFolder() });
  expect(next.status, next.text).toBe(200);
  expect(await ranks(server)).toEqual(Array(3).fill(expect.stringContaining('attached')));
});

it('S7: a rank whose storage is gone when it comes back serves without, and gets it back when it is attached again', async () => {
  const folder = await temporaryFolder();
  const server = await start();
  // Only rank 1 has a folder that can go away.
  const path = `${folder}/{rank}/pages`;
  expect((await attach(server, { path })).status).toBe(200);
  await rename(`${folder}/1`, `${folder}/gone`);
  await writeFile(`${folder}/1`, 'no folder');
  process.kill((await server.rankPids())[1]!, 'SIGKILL');
  await expect.poll(async () => (await server.info()).ranks[1]?.restarts).toBe(1);
  await isBack(server, 1);
  expect((await ranks(server))[1]).toBe('failed null');
  expect(server.log).toContain('serves without its storage');
  await rm(`${folder}/1`);
  expect((await attach(server, { path })).status).toBe(200);
  expect((await ranks(server)).map((rank) => rank.split(' ')[0])).toEqual(Array(3).fill('attached'));
});
