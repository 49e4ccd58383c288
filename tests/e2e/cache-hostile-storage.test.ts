import { mkdir, readFile, rename, rm, truncate, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { bytesIn, filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { randomFrom } from '../structured-output/random.ts';
import {
  expectHealthy,
  expectRightAnswers,
  rightAnswers,
  startCacheServer,
  storageIn,
} from '../support/cache-server.ts';
import type { GreedyAnswer, TestServer } from '../support/server.ts';

let right: GreedyAnswer[];
beforeAll(async () => {
  right = await rightAnswers();
});

/** What accidents do to a page's file. The other one is some other page's. */
const DAMAGES: Record<string, (file: string, other: string) => Promise<unknown>> = {
  async 'a flipped bit'(file) {
    const bytes = await readFile(file);
    const at = (bytes.length * 7) >> 3;
    bytes[at] = bytes[at]! ^ 1;
    await writeFile(file, bytes);
  },
  'a cut off end': (file) => truncate(file, 5000),
  'nothing in it': (file) => truncate(file, 0),
  'zeros in it': async (file) => writeFile(file, Buffer.alloc((await readFile(file)).length)),
  'a foreign file in its place': (file) => writeFile(file, 'x'.repeat(9000)),
  'another page in its place': async (file, other) => writeFile(file, await readFile(other)),
  async 'a folder in its place'(file) {
    await unlink(file);
    await mkdir(file);
  },
  'nothing in its place': (file) => unlink(file),
};
const KINDS = Object.values(DAMAGES);

/** Damages pages; those that are gone meanwhile are not missed. */
async function damage(folder: string, chance: number, random: () => number): Promise<void> {
  const files = (await filesIn(folder)).filter((file) => file.endsWith('.page'));
  for (const [i, file] of files.entries()) {
    if (random() >= chance) continue;
    const other = path.join(folder, files.at(i - 1)!);
    await KINDS[i % KINDS.length]!(path.join(folder, file), other).catch(() => undefined);
  }
}

/** What was computed is asked of the storage again. */
async function forget(server: TestServer): Promise<void> {
  expect((await server.get('/flush_cache?timeout=20')).status).toBe(200);
}

async function settle(server: TestServer): Promise<void> {
  await expectHealthy(server);
  for (const queue of ['storage_queue_depth', 'storage_inflight']) expect(await server.metric(queue)).toBe(0);
}

it('damaged pages, all of them and then some while requests go on, are computed again and counted', async () => {
  const folder = await temporaryFolder();
  const writer = await startCacheServer(...storageIn(folder));
  await expectRightAnswers(writer, right);
  await settle(writer);
  await damage(folder, 1, () => 0);
  const server = await startCacheServer(...storageIn(folder));
  expect((await expectRightAnswers(server, right)).storage).toBe(0);
  const reasons = [...(await server.samples()).keys()].flatMap(
    (name) => /^tierkv_storage_pages_rejected_total\{reason="(\w+)"/.exec(name)?.[1] ?? [],
  );
  expect(reasons.length).toBeGreaterThanOrEqual(2);
  const random = randomFrom(4);
  for (let round = 0; round < 3; round++) {
    await forget(server);
    const answers = Promise.all([server, writer].map((each) => expectRightAnswers(each, right)));
    for (let i = 0; i < 4; i++) await damage(folder, 0.3, random);
    await answers;
  }
  await settle(server);
  await settle(writer);
});

it('folders that become files fail writes, which are counted, and are used again when they are back', async () => {
  const folder = await temporaryFolder();
  const [store, away] = [path.join(folder, 'store'), path.join(folder, 'away')];
  const server = await startCacheServer(...storageIn(store, { enable_metadata_cache: false }));
  await expectRightAnswers(server, right);
  await settle(server);
  await rename(store, away);
  await writeFile(store, 'no folder');
  await forget(server);
  expect((await expectRightAnswers(server, right)).storage).toBe(0);
  expect(await server.metric('storage_errors_total', 'op="write"')).toBeGreaterThan(0);
  await settle(server);
  await rm(store);
  // As soon as the breaker has seen that it is back.
  const filesAgain = async () => {
    await forget(server);
    await expectRightAnswers(server, right);
    await settle(server);
    return (await filesIn(store).catch(() => [])).length;
  };
  await expect.poll(filesAgain, { timeout: 40_000 }).toBeGreaterThan(0);
  // The old folder comes back beneath what was written meanwhile.
  await rm(store, { recursive: true });
  await rename(away, store);
  await forget(server);
  await expectRightAnswers(server, right);
  await settle(server);
});

it('a quota of a few pages is kept, and one of less than a page stores nothing', async () => {
  const [small, none] = [await temporaryFolder(), await temporaryFolder()];
  const servers = [
    await startCacheServer(...storageIn(small, { max_size: 50_000 })),
    await startCacheServer(...storageIn(none, { max_size: 5_000 })),
  ] as const;
  for (const _round of [1, 2]) {
    for (const server of servers) {
      await expectRightAnswers(server, right);
      await settle(server);
      await forget(server);
    }
    expect(await bytesIn(small)).toBeLessThanOrEqual(50_000);
  }
  expect((await filesIn(small)).length).toBeGreaterThan(2);
  expect(await filesIn(none)).toEqual([]);
  expect(await servers[0].metric('storage_used_bytes')).toBeLessThanOrEqual(50_000);
  expect(await servers[1].metric('storage_errors_total', 'op="write"', 'kind="size"')).toBeGreaterThan(0);
});
