import { expect, test } from 'vitest';
import { createDriver } from '../../src/storage/factory.ts';
import { namespaceLayer } from '../../src/storage/layers/namespace.ts';
import { bytes, has, listAll, never, read, remove, write } from './support/calls.ts';
import { filesIn, temporaryFolder } from './support/folders.ts';

const NAMES = ['bar', 'foo_bar', 'bar2', 'b', 'ba', 'foo', 'foo/bar', 'bar/bar'];

test.each(['memory', 'file'])(
  'O8: a namespace sees its own keys only, whatever others are called (%s)',
  async (name) => {
    const store = createDriver(name, name === 'file' ? { path: await temporaryFolder() } : {});
    await store.open(never);
    const drivers = NAMES.map((namespace) => namespaceLayer(namespace)(store));
    for (const [i, driver] of drivers.entries()) {
      await write(driver, 'bar', bytes(10, i));
      await write(driver, `only-${i}`, bytes(5));
    }
    for (const [i, driver] of drivers.entries()) {
      expect((await read(driver, 'bar')).value).toEqual(bytes(10, i));
      expect(await has(driver, `only-${(i + 1) % NAMES.length}`)).toEqual({ status: 'miss' });
    }
    const bar = drivers[0]!;
    // `bar/bar` is a part of `bar` by its own name: keys are names with slashes.
    expect((await listAll(bar)).sort()).toEqual(['bar', 'bar/bar', 'bar/only-7', 'only-0']);
    await remove(bar, 'bar');
    for (const [i, driver] of drivers.entries())
      expect((await has(driver, 'bar')).status).toBe(i === 0 ? 'miss' : 'hit');
    await store.close();
  },
);

test('O8: making room for `bar` evicts nothing of `foo_bar`, and does not count it', async () => {
  const path = await temporaryFolder();
  const options = { path, max_size: 10_000, min_free_space: 0 };
  const before = createDriver('file', options);
  await before.open(never);
  const foobar = namespaceLayer('foo_bar')(before);
  for (let i = 0; i < 9; i++) await write(foobar, `old-${i}`, bytes(1000, i));
  await before.close();
  const store = createDriver('file', options);
  await store.open(never);
  const bar = namespaceLayer('bar')(store);
  for (let i = 0; i < 30; i++) expect((await write(bar, `new-${i}`, bytes(1000, i))).status).toBe('stored');
  expect(store.usage?.()?.usedBytes).toBeLessThanOrEqual(10_000);
  const files = await filesIn(path);
  expect(files.filter((file) => file.startsWith('foo_bar/'))).toHaveLength(9);
  expect(files.filter((file) => file.startsWith('bar/')).length).toBeGreaterThan(5);
  await store.close();
});
