import { stat, utimes } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { pagePath } from '../../src/storage/drivers/file/paths.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { MODELS, page, pagesOf } from './maintenance/pages.ts';
import { has, never, read } from './support/calls.ts';
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
