import { mkdir, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/storage/driver.ts';
import { pagePath } from '../../src/storage/drivers/file/paths.ts';
import { takeTemporaryName } from '../../src/storage/drivers/file/temporary-files.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, remove, write } from './support/calls.ts';
import {
  moveAtMost,
  refuseToOpen,
  replaceDescriptorCalls,
  replaceFileSystem,
  systemError,
} from './support/file-system-faults.ts';
import { filesIn, temporaryFolder } from './support/folders.ts';

const LIMITS = { max_size: '1MB', min_free_space: 0 };

async function open(folder: string, options: object = {}): Promise<StorageDriver> {
  const driver = createDriver('file', { path: folder, ...LIMITS, ...options });
  await driver.open(never);
  return driver;
}

test('O7: pages are spread over folders by the beginning of their keys', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  const keys = Array.from({ length: 128 }, (_, i) => `model/${pageKey(i)}`);
  await driver.write(
    keys.map((key) => ({ key, parts: [bytes(10)] })),
    never,
  );
  expect(await filesIn(folder)).toEqual(
    keys.map((key) => path.join('model', key.slice(6, 8), `${key.slice(6)}.page`)).sort(),
  );
  const shards = await readdir(path.join(folder, 'model'));
  expect(shards.length).toBeGreaterThan(60);
  await driver.close();
});

test('pages are there after a restart, and another driver on the folder finds them at once', async () => {
  const folder = await temporaryFolder();
  const first = await open(folder);
  await write(first, 'model/a', bytes(100));
  const second = await open(folder);
  expect((await read(second, 'model/a')).value).toEqual(bytes(100));
  await write(second, 'model/b', bytes(50));
  expect((await read(first, 'model/b')).value).toEqual(bytes(50));
  await Promise.all([first.close(), second.close()]);
  const third = await open(folder);
  expect((await listAll(third)).sort()).toEqual(['model/a', 'model/b']);
  await third.close();
});

test('a page that another server removed is a miss, and can be written again', async () => {
  const folder = await temporaryFolder();
  const [one, two] = [await open(folder), await open(folder)];
  await write(one, 'model/a', bytes(100));
  await remove(two, 'model/a');
  expect((await read(one, 'model/a')).result).toEqual({ status: 'miss' });
  expect(await has(one, 'model/a')).toEqual({ status: 'miss' });
  await write(one, 'model/a', bytes(100));
  await remove(two, 'model/a');
  // `has` may still believe what it saw a moment ago; a write looks.
  expect(await write(one, 'model/a', bytes(100))).toEqual({ status: 'stored' });
  await Promise.all([one.close(), two.close()]);
});

test('without the metadata cache `has` always looks', async () => {
  const folder = await temporaryFolder();
  for (const options of [{ enable_metadata_cache: false }, { metadata_ttl: 0 }]) {
    const driver = await open(folder, options);
    await write(driver, 'model/a', bytes(100));
    await rm(pagePath(folder, 'model/a'));
    expect(await has(driver, 'model/a')).toEqual({ status: 'miss' });
    await driver.close();
  }
});

test('a file that was cut under the driver is written again', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await write(driver, 'model/a', bytes(100));
  await truncate(pagePath(folder, 'model/a'), 40);
  expect((await read(driver, 'model/a')).value).toEqual(bytes(100).subarray(0, 40));
  expect(await write(driver, 'model/a', bytes(100))).toEqual({ status: 'stored' });
  expect((await read(driver, 'model/a')).value).toEqual(bytes(100));
  await driver.close();
});

test.each(['model/aa', 'model', '.'])(
  'when the folder %s is removed under it, it goes on',
  async (victim) => {
    const folder = await temporaryFolder();
    const driver = await open(folder);
    await write(driver, 'model/aaaa', bytes(100));
    await rm(path.join(folder, victim), { recursive: true });
    expect((await read(driver, 'model/aaaa')).result).toEqual({ status: 'miss' });
    expect(await has(driver, 'model/aaaa')).toEqual({ status: 'miss' });
    expect(await remove(driver, 'model/aaaa')).toEqual({ status: 'miss' });
    expect(await driver.list?.(undefined, never)).toEqual({ keys: [], bytes: [], next: undefined });
    expect(await write(driver, 'model/aaaa', bytes(100))).toEqual({ status: 'stored' });
    expect((await read(driver, 'model/aaaa')).value).toEqual(bytes(100));
    await driver.close();
  },
);

test('a file where a folder should be fails the keys beneath and nothing else', async () => {
  const folder = await temporaryFolder();
  await mkdir(path.join(folder, 'model'));
  await writeFile(path.join(folder, 'model', 'aa'), 'in the way');
  const driver = await open(folder);
  expect(
    (
      await driver.write(
        ['model/aaa', 'model/bbb'].map((key) => ({ key, parts: [bytes(5)] })),
        never,
      )
    ).map(outcome),
  ).toEqual(['io', 'stored']);
  expect((await read(driver, 'model/aaa')).result).toEqual({ status: 'miss' });
  await driver.close();
});

test.each([
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EROFS', 'denied'],
  ['EIO', 'io'],
  ['ENOTCONN', 'unreachable'],
])('a write that ends with %s fails with kind %s and leaves no file', async (code, kind) => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  replaceDescriptorCalls((fs) => ({
    async writev(descriptor, buffers) {
      await fs.writev(descriptor, [buffers[0]!.subarray(0, 10)]);
      throw systemError(code);
    },
  }));
  expect(outcome(await write(driver, 'model/a', bytes(100)))).toBe(kind);
  expect(await filesIn(folder)).toEqual([]);
  expect(driver.usage?.()?.usedBytes).toBe(0);
  replaceDescriptorCalls((fs) => fs);
  expect(outcome(await write(driver, 'model/a', bytes(100)))).toBe('stored');
  await driver.close();
});

test('a read or a look that the system refuses fails its key with the kind of the refusal', async () => {
  const driver = await open(await temporaryFolder());
  await write(driver, 'model/a', bytes(100));
  const refuse = async () => {
    throw systemError('EACCES');
  };
  replaceFileSystem(() => ({ stat: refuse, unlink: refuse }));
  refuseToOpen(() => systemError('EACCES'));
  expect(outcome((await read(driver, 'model/a')).result)).toBe('denied');
  expect(outcome(await has(driver, 'model/other'))).toBe('denied');
  expect(outcome(await remove(driver, 'model/a'))).toBe('denied');
  expect(outcome(await write(driver, 'model/b', bytes(100)))).toBe('denied');
  expect(driver.usage?.()?.usedBytes).toBe(100);
  await driver.close();
});

test('short reads and short writes are carried on', async () => {
  const driver = await open(await temporaryFolder());
  moveAtMost(37);
  expect(await write(driver, 'model/a', bytes(1000))).toEqual({ status: 'stored' });
  const into = [Buffer.alloc(333), Buffer.alloc(900)];
  expect(await driver.read([{ key: 'model/a', into }], never)).toEqual([{ status: 'hit', bytes: 1000 }]);
  expect(Buffer.concat(into).subarray(0, 1000)).toEqual(bytes(1000));
  await driver.close();
});

test('a folder that cannot be made or used fails to open with the reason', async () => {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'file'), '');
  const driver = createDriver('file', { path: path.join(folder, 'file', 'pages') });
  await expect(driver.open(never)).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining('ENOTDIR'),
  });
  replaceFileSystem(() => ({
    access: async () => {
      throw systemError('EROFS');
    },
  }));
  await expect(createDriver('file', { path: folder }).open(never)).rejects.toMatchObject({
    code: 'storage_failed',
  });
});

test('a start removes temporary files of dead writers, and no others', async () => {
  const folder = await temporaryFolder();
  const shard = path.join(folder, 'model', 'ab');
  await mkdir(shard, { recursive: true });
  const own = takeTemporaryName();
  const [, host = ''] = /^\.([0-9a-f]+)-/.exec(own) ?? [];
  const random = '0123456789abcdef';
  const names = {
    own,
    ownNumberOfEarlierProcess: `.${host}-${process.pid}-${random}.tmp`,
    dead: `.${host}-999999999-${random}.tmp`,
    alive: `.${host}-${process.ppid}-${random}.tmp`,
    otherHost: `.00000000-999999999-${random}.tmp`,
    otherHostLongAgo: `.00000000-999999998-${random}.tmp`,
    notOurs: '.editor.tmp',
  };
  for (const name of Object.values(names)) await writeFile(path.join(shard, name), bytes(10));
  for (const name of [names.otherHostLongAgo, names.notOurs]) await utimes(path.join(shard, name), 1, 1);
  const driver = await open(folder);
  await write(driver, 'model/x', bytes(1));
  expect((await readdir(shard)).sort()).toEqual(
    [names.own, names.alive, names.otherHost, names.notOurs].sort(),
  );
  // What others are writing counts.
  expect(driver.usage?.()?.usedBytes).toBe(21);
  await driver.close();
});

test('while the folder is scanned pages are found and read, and writes wait', async () => {
  const folder = await temporaryFolder();
  const before = await open(folder);
  await write(before, 'model/a', bytes(100));
  await before.close();
  const gate = Promise.withResolvers<void>();
  replaceFileSystem((fs) => ({
    lstat: (async (file: string) => {
      await gate.promise;
      return await fs.lstat(file);
    }) as never,
  }));
  const driver = await open(folder);
  expect(await has(driver, 'model/a')).toEqual({ status: 'hit' });
  expect((await read(driver, 'model/a')).value).toEqual(bytes(100));
  expect(driver.usage?.()).toBeUndefined();
  const impatient = new AbortController();
  const writes = Array.from({ length: 20 }, (_, i) => ({ key: `model/b${i}`, parts: [bytes(5)] }));
  const [leaves, stays] = [driver.write(writes, impatient.signal), driver.write(writes, never)];
  impatient.abort();
  expect((await leaves).map(outcome)).toEqual(writes.map(() => 'aborted'));
  expect(await has(driver, 'model/b0')).toEqual({ status: 'miss' });
  gate.resolve();
  expect((await stays).map(outcome)).toEqual(writes.map(() => 'stored'));
  expect(driver.usage?.()?.usedBytes).toBe(200);
  await driver.close();
});

test('pages are readable for their owner only', async () => {
  if (process.platform === 'win32') return;
  const folder = path.join(await temporaryFolder(), 'pages');
  const driver = await open(folder);
  await write(driver, 'model/aaa', bytes(5));
  const { stat } = await import('node:fs/promises');
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(pagePath(folder, 'model/aaa'))).mode & 0o777).toBe(0o600);
  await driver.close();
});
