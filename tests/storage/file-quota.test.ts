import { mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/storage/driver.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { namespaceLayer } from '../../src/storage/layers/namespace.ts';
import { bytes, has, never, outcome, pageKey, read, write } from './support/calls.ts';
import { replaceDescriptorCalls, replaceFileSystem } from './support/file-system-faults.ts';
import { bytesIn, filesIn, temporaryFolder } from './support/folders.ts';

async function open(folder: string, options: object = {}): Promise<StorageDriver> {
  const driver = createDriver('file', { path: folder, max_size: 10_000, min_free_space: 0, ...options });
  await driver.open(never);
  return driver;
}

async function fill(driver: StorageDriver, count: number, size = 1000): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, i) => `model/${pageKey(i)}`);
  for (const [i, key] of keys.entries())
    expect((await write(driver, key, bytes(size, i))).status).toBe('stored');
  return keys;
}

async function present(driver: StorageDriver, keys: string[]): Promise<number[]> {
  const results = await driver.has(keys, never);
  return keys.map((_, i) => i).filter((i) => results[i]?.status === 'hit');
}

const operation = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), key: fc.nat(30), size: fc.nat(4000) }),
  fc.record({
    kind: fc.constant('batch' as const),
    keys: fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 12 }),
    size: fc.nat(3000),
  }),
  fc.record({ kind: fc.constant('read' as const), key: fc.nat(30) }),
  fc.record({ kind: fc.constant('remove' as const), key: fc.nat(30) }),
  fc.record({ kind: fc.constant('truncate' as const), key: fc.nat(30) }),
  fc.record({ kind: fc.constant('restart' as const), maxSize: fc.integer({ min: 3000, max: 15_000 }) }),
);

test('O5: whatever is written, read and restarted, the folder is never larger than max_size', async () => {
  let maxSize = 10_000;
  let folder = '';
  // The moment at which a page and its temporary file are both there, whole.
  const atRename: number[] = [];
  replaceFileSystem((fs) => ({
    rename: async (from, to) => {
      atRename.push(await bytesIn(folder));
      await fs.rename(from, to);
    },
  }));
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      folder = await temporaryFolder();
      maxSize = 10_000;
      let driver = await open(folder);
      try {
        for (const step of operations) {
          atRename.length = 0;
          if (step.kind === 'restart') {
            await driver.close();
            maxSize = step.maxSize;
            driver = await open(folder, { max_size: maxSize, eviction_ratio: 0.1 });
            // The first write waits until the folder is within the new limit.
            await write(driver, 'model/after', bytes(10));
          } else if (step.kind === 'batch') {
            const results = await driver.write(
              step.keys.map((key) => ({ key: `model/k${key}`, parts: [bytes(step.size, key)] })),
              never,
            );
            const words = ['stored', 'exists', step.size > maxSize ? 'size' : 'full'];
            for (const result of results) expect(words).toContain(outcome(result));
            atRename.length = 0;
          } else if (step.kind === 'write') {
            const result = await write(driver, `model/k${step.key}`, bytes(step.size, step.key));
            expect(step.size > maxSize ? ['size'] : ['stored', 'exists']).toContain(outcome(result));
            if (result.status === 'stored')
              expect((await has(driver, `model/k${step.key}`)).status).toBe('hit');
          } else if (step.kind === 'read') await read(driver, `model/k${step.key}`);
          else if (step.kind === 'remove') await driver.remove([`model/k${step.key}`], never);
          else
            await rename(
              path.join(folder, 'model', `k${step.key}`.slice(0, 2), `k${step.key}.page`),
              path.join(folder, 'moved'),
            ).then(
              () => rm(path.join(folder, 'moved')),
              () => {},
            );
          for (const size of [...atRename, await bytesIn(folder)]) expect(size).toBeLessThanOrEqual(maxSize);
        }
      } finally {
        await driver.close();
      }
      expect((await filesIn(folder)).filter((file) => file.endsWith('.tmp'))).toEqual([]);
    }),
    { numRuns: 60, seed: 20261101 },
  );
});

test('O5: a smaller max_size holds from the start on, before anything is asked', async () => {
  const folder = await temporaryFolder();
  const before = await open(folder);
  await fill(before, 10);
  await before.close();
  const store = createDriver('file', { path: folder, max_size: 3500, min_free_space: 0 });
  await store.open(never);
  await has(namespaceLayer('model')(store), 'anything');
  await expect.poll(() => store.usage?.()?.usedBytes).toBe(3000);
  expect(await bytesIn(folder)).toBe(3000);
  await store.close();
});

test('O5: there is a quota when none is configured', async () => {
  const folder = await temporaryFolder();
  const driver = createDriver('file', { path: folder });
  await driver.open(never);
  await write(driver, 'model/a', bytes(10));
  const quota = driver.usage?.()?.quotaBytes ?? Number.POSITIVE_INFINITY;
  expect(quota).toBeLessThanOrEqual(20e9);
  expect(quota).toBeGreaterThan(0);
  await driver.close();
});

test('the least recently used pages go first, also after a restart', async () => {
  const folder = await temporaryFolder();
  const first = await open(folder);
  const keys = await fill(first, 10);
  // The file system's clock has coarser ticks than the driver's.
  await setTimeout(20);
  for (const i of [0, 3, 5]) await read(first, keys[i]!);
  expect((await write(first, keys[1]!, bytes(1000, 1))).status).toBe('exists');
  await first.close();

  const second = await open(folder);
  expect(await present(second, keys)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // Each is one page too many; that `has` looked at a page is no use of it.
  const used = [0, 3, 5, 1].map((i) => keys[i]!);
  const left: number[][] = [];
  for (let i = 0; i < 8; i++) {
    await write(second, `model/new-${i}`, bytes(1000));
    left.push(await present(second, used));
  }
  expect(left).toEqual([...Array.from({ length: 6 }, () => [0, 1, 2, 3]), [1, 2, 3], [2, 3]]);
  await second.close();
});

test('a value larger than the quota is refused by its size, and nothing is evicted for it', async () => {
  const driver = await open(await temporaryFolder());
  const keys = await fill(driver, 10);
  expect(outcome(await write(driver, 'model/large', bytes(10_001)))).toBe('size');
  expect(await present(driver, keys)).toHaveLength(10);
  await driver.close();
});

test('making room frees the share that was configured', async () => {
  const driver = await open(await temporaryFolder(), { eviction_ratio: 0.5 });
  const keys = await fill(driver, 10);
  await write(driver, 'model/one-more', bytes(1000));
  expect(await present(driver, keys)).toEqual([5, 6, 7, 8, 9]);
  await driver.close();
});

test('O6: pages that cannot be removed are counted and passed over', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  const keys = await fill(driver, 10);
  // A folder with something in it stands where the file was: nobody can unlink that, root neither. The index finds
  // out at its next scan, so the page is kept from that.
  const stubborn = new Set([0, 1, 2].map((i) => `${keys[i]!.slice('model/'.length)}.page`));
  replaceFileSystem((fs) => ({
    unlink: async (file) => {
      if (stubborn.has(path.basename(String(file)))) await fs.unlink(folder);
      await fs.unlink(file);
    },
  }));
  for (let i = 0; i < 20; i++)
    expect((await write(driver, `model/new-${i}`, bytes(1000))).status).toBe('stored');
  expect(await present(driver, keys)).toEqual([0, 1, 2]);
  expect(driver.usage?.()).toEqual({ usedBytes: 10_000, quotaBytes: 10_000, stuckValues: 3 });
  expect(await bytesIn(folder)).toBeLessThanOrEqual(10_000);
  await driver.close();
});

test('O6: a folder in place of a page does not stop eviction', async () => {
  const folder = await temporaryFolder();
  const driver = await open(folder);
  const keys = await fill(driver, 10);
  const name = keys[0]!.slice('model/'.length);
  const file = path.join(folder, 'model', name.slice(0, 2), `${name}.page`);
  await rm(file);
  await mkdir(path.join(file, 'inside'), { recursive: true });
  for (let i = 0; i < 5; i++)
    expect((await write(driver, `model/new-${i}`, bytes(1000))).status).toBe('stored');
  expect((await stat(path.join(file, 'inside'))).isDirectory()).toBe(true);
  expect(outcome((await read(driver, keys[0]!)).result)).toBe('io');
  expect(outcome(await write(driver, keys[0]!, bytes(10)))).toBe('io');
  await driver.close();
});

test('O6: where nothing can be removed a write fails with kind full, and the next one works once it can', async () => {
  const driver = await open(await temporaryFolder());
  await fill(driver, 10);
  let isStubborn = true;
  replaceFileSystem((fs) => ({
    unlink: async (file) => {
      if (isStubborn && String(file).endsWith('.page'))
        throw Object.assign(new Error('no'), { code: 'EPERM' });
      await fs.unlink(file);
    },
  }));
  expect(outcome(await write(driver, 'model/new', bytes(1000)))).toBe('full');
  isStubborn = false;
  expect(outcome(await write(driver, 'model/new', bytes(1000)))).toBe('stored');
  await driver.close();
});

test('files that are none of the model’s are not counted, not evicted and not touched', async () => {
  const folder = await temporaryFolder();
  const other = await open(folder);
  await write(other, 'other/page', bytes(5000));
  await other.close();
  for (const name of [
    'notes.txt',
    'model/notes.page',
    'model/ab/notes.txt',
    'model/ab/ac.page',
    'model/ab/.hidden',
    'model/ab/x.tmp',
  ]) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), bytes(5000));
    await utimes(path.join(folder, name), 1, 1);
  }
  const before = await filesIn(folder);
  const driver = await open(folder);
  await fill(driver, 30);
  expect(driver.usage?.()?.usedBytes).toBe(10_000);
  const after = await filesIn(folder);
  expect(before.filter((file) => !after.includes(file))).toEqual([]);
  await driver.close();
});

test('min_free_space is kept by evicting, and where that cannot help nothing is evicted', async () => {
  const driver = await open(await temporaryFolder(), { min_free_space: 1000 });
  const keys = await fill(driver, 5);
  let free = 1500;
  replaceFileSystem((fs) => ({
    statfs: (async (folder: string) => ({ ...(await fs.statfs(folder)), bavail: free, bsize: 1 })) as never,
    unlink: async (file) => {
      await fs.unlink(file);
      if (String(file).endsWith('.page')) free += 1000;
    },
  }));
  expect(outcome(await write(driver, 'model/new', bytes(1000)))).toBe('stored');
  expect(await present(driver, keys)).toEqual([1, 2, 3, 4]);
  free = 1000 - 5001;
  expect(outcome(await write(driver, 'model/newer', bytes(1000)))).toBe('full');
  expect(await present(driver, keys)).toEqual([1, 2, 3, 4]);
  await driver.close();
});

test('several drivers on one folder learn of each other’s pages before they evict', async () => {
  const folder = await temporaryFolder();
  const [one, two] = [await open(folder), await open(folder)];
  await fill(one, 5);
  for (let i = 0; i < 4; i++) await write(two, `model/two-${i}`, bytes(1000));
  expect((await has(one, 'model/two-3')).status).toBe('hit');
  for (let i = 0; i < 30; i++) await write(i % 2 ? one : two, `model/more-${i}`, bytes(1000));
  expect(await bytesIn(folder)).toBeLessThanOrEqual(10_000);
  for (let i = 0; i < 3; i++) await write(one, `model/end-${i}`, bytes(1000));
  await Promise.all([one.close(), two.close()]);
});

test('O5: a writer that was alone finds what another one left that has come and gone', async () => {
  const folder = await temporaryFolder();
  const one = await open(folder);
  await fill(one, 3);
  const two = await open(folder);
  for (let i = 0; i < 20; i++) await write(two, `model/two-${i}`, bytes(1000));
  await two.close();
  for (let i = 0; i < 5; i++) {
    expect((await write(one, `model/more-${i}`, bytes(1000))).status).toBe('stored');
    expect(await bytesIn(folder)).toBeLessThanOrEqual(10_000);
  }
  await one.close();
});

test('O5: what a writer was writing alone when another one came has its room', async () => {
  const folder = await temporaryFolder();
  const [gate, reached] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  replaceDescriptorCalls((fs) => ({
    async writev(descriptor, buffers) {
      reached.resolve();
      await gate.promise;
      return fs.writev(descriptor, buffers);
    },
  }));
  const one = await open(folder);
  const writes = Array.from({ length: 8 }, (_, i) => ({ key: `model/one-${i}`, parts: [bytes(1000)] }));
  const slow = one.write(writes, never);
  await reached.promise;
  await setTimeout(50);
  replaceDescriptorCalls((fs) => fs);
  const two = await open(folder);
  for (let i = 0; i < 10; i++) await write(two, `model/two-${i}`, bytes(1000));
  gate.resolve();
  expect((await slow).map(outcome)).toEqual(writes.map(() => 'stored'));
  expect(await bytesIn(folder)).toBeLessThanOrEqual(10_000);
  await Promise.all([one.close(), two.close()]);
});
