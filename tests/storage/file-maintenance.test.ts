import { mkdir, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { pagePath } from '../../src/storage/drivers/file/paths.ts';
import { tidyFolder } from '../../src/storage/drivers/file/tidy.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { MODELS, page, pagesOf } from './maintenance/pages.ts';
import { has, listAll, never, read } from './support/calls.ts';
import { replaceFileSystem, systemError } from './support/file-system-faults.ts';
import { claimsIn, filesIn, temporaryFolder } from './support/folders.ts';

const [A] = MODELS;

async function filledFolder(count: number): Promise<string> {
  const folder = await temporaryFolder();
  const driver = createDriver('file', { path: folder, max_size: '1GB', min_free_space: 0 });
  await driver.open(never);
  await driver.write(
    pagesOf(A, count).map(({ key, value }) => ({ key, parts: [value] })),
    never,
  );
  await driver.close();
  return folder;
}

test('who only lists, reads and removes evicts nothing, whatever the quota, and leaves no trace of use', async () => {
  const folder = await filledFolder(20);
  const first = pagePath(folder, page(A, 0).key);
  await utimes(first, 1000, 1000);
  const driver = createDriver('file', { path: folder, max_size: 1000, min_free_space: 0 });
  await driver.open(never);
  const { keys, bytes } = await driver.list!(undefined, never);
  expect(keys).toHaveLength(20);
  expect(bytes).toEqual(keys.map(() => 756));
  for (const { key, value } of pagesOf(A, 20)) expect((await read(driver, key)).value).toEqual(value);
  expect(await driver.remove([page(A, 19).key], never)).toEqual([{ status: 'removed' }]);
  await driver.close();
  expect(await filesIn(folder)).toHaveLength(19);
  expect(await claimsIn(folder)).toEqual([]);
  expect((await stat(first)).mtimeMs).toBe(1_000_000);
});

test('the first look makes a namespace its own: then the quota holds, and uses are kept', async () => {
  const folder = await filledFolder(20);
  const driver = createDriver('file', { path: folder, max_size: 10_000, min_free_space: 0 });
  await driver.open(never);
  await has(driver, page(A, 0).key);
  await driver.write([{ key: page(A, 100).key, parts: [page(A, 100).value] }], never);
  await driver.close();
  expect((await filesIn(folder)).length).toBeLessThanOrEqual(13);
});

test('folders that may not be read, and those under a name that no key has, keep no other pages from being listed', async () => {
  const folder = await filledFolder(20);
  const [others, foreign] = [path.join(folder, 'of-others'), path.join(folder, 'lost+found')];
  await mkdir(others);
  await mkdir(foreign);
  const looked: string[] = [];
  const denied = new Set([others]);
  replaceFileSystem((fs) => ({
    readdir: (async (place: string, options: { withFileTypes: true }) => {
      looked.push(place);
      if (denied.has(place)) throw systemError('EACCES');
      return fs.readdir(place, options);
    }) as typeof fs.readdir,
  }));
  const driver = createDriver('file', { path: folder });
  await driver.open(never);
  expect(await listAll(driver)).toHaveLength(20);
  expect(looked).toContain(others);
  expect(looked).not.toContain(foreign);
  const { failed, foreignFiles } = await tidyFolder(folder, true, never);
  expect({ failed: failed.map(({ path: place }) => place), foreignFiles }).toEqual({
    failed: [others],
    foreignFiles: 0,
  });
  // One that may not be read at all is not an empty one.
  denied.add(folder);
  await expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
  await driver.close();
});
