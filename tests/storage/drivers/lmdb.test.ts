import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { checkDataFile } from '../../../src/storage/drivers/lmdb/data-file.ts';
import { closeEnvironment, openEnvironment } from '../../../src/storage/drivers/lmdb/environment.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { fillDisk, smallDisk } from '../../support/small-disk.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import { replaceFileSystem } from '../support/file-system-faults.ts';
import { temporaryFolder } from '../support/folders.ts';

const MIB = 2 ** 20;
const REFUSAL = { code: 'storage_failed' };

async function open(folder: string, options: object = {}): Promise<StorageDriver> {
  const driver = createDriver('lmdb', { path: folder, max_size: '16MiB', ...options });
  await driver.open(never);
  return driver;
}

const dataFile = (folder: string) => path.join(folder, 'values.mdb');

async function writeAll(driver: StorageDriver, from: number, to: number, length: number): Promise<void> {
  for (let i = from; i < to; i += 8) {
    const keys = Array.from({ length: Math.min(8, to - i) }, (_, k) => `model/${pageKey(i + k)}`);
    const writes = keys.map((key) => ({ key, parts: [bytes(length)] }));
    expect((await driver.write(writes, never)).map(outcome)).toEqual(keys.map(() => 'stored'));
  }
}

test('values are there after a restart, and folder and files are their owner’s only', async () => {
  const folder = path.join(await temporaryFolder(), 'a', 'b');
  const first = await open(folder);
  await write(first, 'model/a', bytes(100_000));
  await first.close();
  const second = await open(folder);
  expect((await read(second, 'model/a', 200_000)).value).toEqual(bytes(100_000));
  await second.close();
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(dataFile(folder))).mode & 0o777).toBe(0o600);
});

test('a value that lmdb would give as mapped memory comes back', async () => {
  const driver = await open(await temporaryFolder(), { max_size: '100MB' });
  const value = bytes(20 * MIB);
  expect(await write(driver, 'a', value)).toEqual({ status: 'stored' });
  expect((await read(driver, 'a', value.length)).value?.equals(value)).toBe(true);
  await driver.close();
});

test('the least recently used go, and the file stays within max_size', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await writeAll(driver, 0, 20, MIB / 4);
  const used = `model/${pageKey(0)}`;
  for (let i = 20; i < 200; i += 8) {
    expect((await read(driver, used, MIB)).result.status).toBe('hit');
    await writeAll(driver, i, i + 8, MIB / 4);
    expect((await stat(dataFile(folder))).size).toBeLessThanOrEqual(16 * MIB);
  }
  expect(await has(driver, `model/${pageKey(1)}`)).toEqual({ status: 'miss' });
  expect(await has(driver, `model/${pageKey(199)}`)).toEqual({ status: 'hit' });
  expect(driver.usage?.()?.usedBytes).toBeLessThanOrEqual(12 * MIB);
  await driver.close();
});

test('the order of use holds over a restart, and a smaller max_size holds from the start', async () => {
  const folder = await temporaryFolder();
  const before = await open(folder);
  await writeAll(before, 0, 32, MIB / 4);
  await read(before, `model/${pageKey(0)}`, MIB);
  await before.close();
  const after = await open(folder, { max_size: '4MiB' });
  expect((await listAll(after)).length).toBeLessThanOrEqual(12);
  expect(after.usage?.()?.usedBytes).toBeLessThanOrEqual(3 * MIB);
  expect((await read(after, `model/${pageKey(0)}`, MIB)).result.status).toBe('hit');
  await after.close();
});

test('a value larger than the quota fails alone, and removes nothing', async () => {
  const driver = await open(await temporaryFolder(), { max_size: '1MiB' });
  await write(driver, 'small', bytes(1000));
  const writes = [
    { key: 'large', parts: [Buffer.alloc(MIB)] },
    { key: 'other', parts: [bytes(10)] },
  ];
  expect((await driver.write(writes, never)).map(outcome)).toEqual(['size', 'stored']);
  expect((await has(driver, 'small')).status).toBe('hit');
  await driver.close();
});

test('drivers of one process share an environment, also while one of them writes', async () => {
  const folder = await temporaryFolder();
  const one = await open(folder);
  const writing = writeAll(one, 0, 32, 100_000);
  const two = await open(folder);
  await writing;
  await write(two, 'model/b', bytes(10));
  expect((await read(one, 'model/b')).value).toEqual(bytes(10));
  await one.close();
  expect((await read(two, `model/${pageKey(3)}`, 200_000)).result.status).toBe('hit');
  expect(await remove(two, 'model/b')).toEqual({ status: 'removed' });
  await two.close();
});

test('a driver opens and closes at any moment of what another of its process writes there', async () => {
  const folder = await temporaryFolder();
  const one = await open(folder);
  let opened = 0;
  const writing = (async () => {
    for (let i = 0; opened < 20; i++)
      expect(await write(one, `model/${i}`, bytes(100_000))).toEqual({ status: 'stored' });
  })();
  const link = path.join(await temporaryFolder(), 'link');
  await symlink(folder, link);
  for (; opened < 20; opened++) {
    const two = await open(opened % 2 ? folder : link);
    await write(two, 'model/two', bytes(opened));
    await two.close();
  }
  await writing;
  expect((await read(one, 'model/two')).value).toEqual(bytes(19));
  await one.close();
});

test('closing waits for a transaction that nobody waits for', async () => {
  const environment = await openEnvironment(dataFile(await temporaryFolder()));
  const happened: string[] = [];
  const work = () => void happened.push('carried out');
  void environment.transaction(work).then(() => happened.push('committed'));
  await closeEnvironment(environment);
  expect(happened).toEqual(['carried out', 'committed']);
});

test('a data file is refused that came in the place of one in use', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await write(driver, 'model/a', bytes(10));
  await unlink(dataFile(folder));
  await expect(open(folder)).rejects.toMatchObject({
    ...REFUSAL,
    message: expect.stringContaining('(it is not the file that is in use here'),
  });
  expect((await read(driver, 'model/a')).value).toEqual(bytes(10));
  await driver.close();
  const next = await open(folder);
  expect(await has(next, 'model/a')).toEqual({ status: 'miss' });
  await next.close();
});

test('processes that are killed at any time leave a good environment within its quota', async () => {
  const folder = await temporaryFolder();
  const program = path.join(import.meta.dirname, '..', 'support', 'endless-lmdb-writer.ts');
  const writers = Array.from({ length: 2 }, () => fork(program, [folder, '16MiB', '200000']));
  // Each has written several quotas by then.
  const batches = writers.map(async (writer) => {
    for (let i = 0; i < 30; i++) {
      const [outcomes] = await once(writer, 'message');
      expect(new Set(outcomes)).toEqual(new Set(['stored']));
      expect((await stat(dataFile(folder))).size).toBeLessThanOrEqual(16 * MIB);
    }
    const gone = once(writer, 'exit');
    writer.kill('SIGKILL');
    await gone;
  });
  await Promise.all(batches);
  const driver = await open(folder);
  const keys = await listAll(driver);
  expect(keys.length).toBeGreaterThan(10);
  expect(keys.length * 200_000).toBeLessThanOrEqual(12 * MIB);
  for (const key of keys) expect((await read(driver, key, 300_000)).value?.equals(bytes(200_000))).toBe(true);
  await writeAll(driver, 0, 100, 200_000);
  expect((await stat(dataFile(folder))).size).toBeLessThanOrEqual(16 * MIB);
  await driver.close();
});

test.each<[string, string | Buffer]>([
  ['a text', 'not a database\n'.repeat(1000)],
  ['zeros', Buffer.alloc(10_000)],
  ['one byte', 'x'],
])('a file of %s in its place is refused, and left as it is', async (_, content) => {
  const folder = await temporaryFolder();
  await writeFile(dataFile(folder), content);
  await expect(open(folder)).rejects.toMatchObject({
    ...REFUSAL,
    message: expect.stringMatching(
      /values\.mdb cannot be opened: remove it, or check 'path' \(it is no data/,
    ),
  });
  expect(await readFile(dataFile(folder))).toEqual(Buffer.from(content));
});

test('a data file whose end is missing is refused', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await writeAll(driver, 0, 16, 100_000);
  await driver.close();
  await truncate(dataFile(folder), 200_000);
  await expect(open(folder)).rejects.toMatchObject({
    ...REFUSAL,
    message: expect.stringContaining('(its end is missing)'),
  });
});

test('what another process writes while the end of a data file is made up for is not cut', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await writeAll(driver, 0, 16, 100_000);
  await driver.close();
  const file = dataFile(folder);
  const whole = (await stat(file)).size;
  await truncate(file, whole - 16 * 4096);
  const written = Buffer.alloc(100 * 4096, 7);
  replaceFileSystem((fs) => ({
    open: async (...args) => {
      const handle = await fs.open(...args);
      const look = handle.stat.bind(handle);
      const stats = (async () => {
        const before = await look();
        if (before.size < whole) await fs.appendFile(file, written);
        return before;
      }) as typeof handle.stat;
      return Object.assign(handle, { stat: stats });
    },
  }));
  await checkDataFile(file);
  const content = await readFile(file);
  expect(content.indexOf(written)).toBe(whole - 16 * 4096);
});

test('a data file whose end was never written is as long as LMDB says before it is opened', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await writeAll(driver, 0, 16, 100_000);
  await driver.close();
  const file = dataFile(folder);
  const whole = (await stat(file)).size;
  await truncate(file, whole - 16 * 4096);
  await checkDataFile(file);
  expect((await readFile(file)).subarray(whole - 16 * 4096)).toEqual(Buffer.alloc(16 * 4096));
});

test('a data file whose pages are overwritten fails its keys or the opening, and nothing else', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  await writeAll(driver, 0, 16, 5000);
  await driver.close();
  const content = await readFile(dataFile(folder));
  await writeFile(dataFile(folder), content.fill(0, 2 * 4096));
  await expect(open(folder)).rejects.toMatchObject({
    ...REFUSAL,
    message: expect.stringContaining('values.mdb cannot be opened'),
  });
});

test('a folder that cannot be made is refused by the name of its option', async () => {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'file'), '');
  for (const place of ['file', 'file/inside'])
    await expect(open(path.join(folder, place))).rejects.toMatchObject({
      ...REFUSAL,
      message: expect.stringMatching(/check 'path' \(E/),
    });
  await expect(open('/proc/tierkv')).rejects.toMatchObject(REFUSAL);
});

test.for(['16MiB', '3MiB'])(
  'with a quota of %s, on a full disk writes fail with kind full, reads go on, and writes too when there is room',
  async (maxSize, { skip }) => {
    const disk = await smallDisk('12m');
    if (disk === undefined) return skip('this process may not mount');
    const driver = await open(path.join(disk, 'lmdb'), { max_size: maxSize });
    await write(driver, 'model/first', Buffer.alloc(1.5 * MIB));
    await write(driver, 'model/a', bytes(100_000));
    const other = await fillDisk(disk);
    // What was given back may be enough for one.
    const writes = await Promise.all([1, 2].map((i) => write(driver, `model/b${i}`, Buffer.alloc(2 * MIB))));
    expect(writes.map(outcome)).toContain('full');
    expect((await read(driver, 'model/a', MIB)).value?.equals(bytes(100_000))).toBe(true);
    await truncate(other, 0);
    expect(outcome(await write(driver, 'model/c', Buffer.alloc(2 * MIB)))).toBe('stored');
    expect((await read(driver, 'model/c', 3 * MIB)).result.status).toBe('hit');
    await driver.close();
  },
);

test('closing ends also while the disk is full', async ({ skip }) => {
  const disk = await smallDisk('12m');
  if (disk === undefined) return skip('this process may not mount');
  const folder = path.join(disk, 'lmdb');
  const driver = await open(folder);
  await write(driver, 'model/a', bytes(100_000));
  const other = await fillDisk(disk);
  expect(outcome(await write(driver, 'model/b', Buffer.alloc(2 * MIB)))).toBe('full');
  await driver.close();
  await truncate(other, 0);
  const again = await open(folder);
  expect((await read(again, 'model/a', MIB)).value).toEqual(bytes(100_000));
  await again.close();
});

test('a quota of nothing is refused', () => {
  expect(() => createDriver('lmdb', { max_size: 0 })).toThrow("'max_size' must be more than 0");
});
