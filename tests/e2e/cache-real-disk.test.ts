import { unlink } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { filesIn } from '../storage/support/folders.ts';
import {
  expectHealthy,
  expectRightAnswers,
  rightAnswers,
  startCacheServer,
  storageIn,
} from '../support/cache-server.ts';
import type { GreedyAnswer, TestServer } from '../support/server.ts';
import { fillDisk, remount, smallDisk } from '../support/small-disk.ts';

const NO_MOUNT = 'this process may not mount';

let right: GreedyAnswer[];
beforeAll(async () => {
  right = await rightAnswers();
});

/** Asks everything of a server that remembers nothing, and waits until nothing is written any more. */
async function askAnew(server: TestServer): Promise<number> {
  expect((await server.get('/flush_cache?timeout=20')).status).toBe(200);
  const { storage } = await expectRightAnswers(server, right);
  await expectHealthy(server);
  for (const queue of ['storage_queue_depth', 'storage_inflight']) expect(await server.metric(queue)).toBe(0);
  return storage;
}

function failedWrites(server: TestServer, kind: string): Promise<number> {
  return server.metric('storage_errors_total', 'op="write"', `kind="${kind}"`);
}

async function pagesIn(folder: string): Promise<string[]> {
  return (await filesIn(folder)).filter((file) => file.endsWith('.page'));
}

it('a folder that becomes read-only is read from, failed writes are counted, and it is written to again', async ({
  skip,
}) => {
  const folder = await smallDisk('16m');
  if (folder === undefined) return skip(NO_MOUNT);
  // Of few pages, so that new ones are written all the time.
  const server = await startCacheServer(...storageIn(folder, { max_size: 150_000 }));
  await askAnew(server);
  const before = await pagesIn(folder);
  expect(before.length).toBeGreaterThan(2);
  expect(await failedWrites(server, 'denied')).toBe(0);

  await remount(folder, 'ro');
  expect(await askAnew(server)).toBeGreaterThan(0);
  expect(await failedWrites(server, 'denied')).toBeGreaterThan(0);
  expect(await pagesIn(folder)).toEqual(before);

  await remount(folder, 'rw');
  const failed = await failedWrites(server, 'denied');
  await askAnew(server);
  expect(await pagesIn(folder)).not.toEqual(before);
  expect(await failedWrites(server, 'denied')).toBe(failed);
});

it('a folder that becomes read-only while requests are answered costs no answer', async ({ skip }) => {
  const folder = await smallDisk('16m');
  if (folder === undefined) return skip(NO_MOUNT);
  const server = await startCacheServer(...storageIn(folder, { max_size: 150_000 }));
  for (const access of ['ro', 'rw', 'ro', 'rw'] as const) {
    const answers = askAnew(server);
    // A file that is being written keeps the file system writable.
    await expect
      .poll(() =>
        remount(folder, access).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    await answers;
  }
  expect((await filesIn(folder)).filter((file) => !file.endsWith('.page'))).toEqual([]);
});

it('a disk that is too small, and one that another program fills, fail writes, which are counted', async ({
  skip,
}) => {
  const folder = await smallDisk('200k');
  if (folder === undefined) return skip(NO_MOUNT);
  const server = await startCacheServer(...storageIn(folder, { max_size: '1GB' }));
  await askAnew(server);
  await askAnew(server);
  const pages = await pagesIn(folder);
  expect(pages.length).toBeGreaterThan(1);

  const other = await fillDisk(folder);
  for (const file of pages.slice(1)) await unlink(`${folder}/${file}`).catch(() => undefined);
  await fillDisk(folder);
  await askAnew(server);
  expect(await failedWrites(server, 'full')).toBeGreaterThan(0);

  await unlink(other);
  const few = (await pagesIn(folder)).length;
  // What it believes to be stored is written again only after it was asked for, which a server that computes such small
  // pages faster than it reads them does now and then.
  const pagesNow = async () => {
    await askAnew(server);
    return (await pagesIn(folder)).length;
  };
  await expect.poll(pagesNow, { timeout: 40_000 }).toBeGreaterThan(few);
  expect((await filesIn(folder)).filter((file) => !file.endsWith('.page'))).toEqual([]);
});
