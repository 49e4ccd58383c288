import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, listAll, never, portions, read, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expectBytes, expectEqual, expectOneOf } from '../expect.ts';
import { expectSame, openWithList, writeAll } from './list.ts';

const namespace = (name: string) => Array.from({ length: 40 }, (_, i) => `${name}/page-${i}`);

/** A store is cleared by listing it and removing what is listed. */
export const clear: Cases = {
  async 'removing what a list gives leaves nothing, and the store works on'(stores) {
    const driver = await openWithList(stores);
    const keys = [...namespace('a'), ...namespace('b/c')];
    await writeAll(driver, keys, bytes(50));
    await removeAll(driver, await listAll(driver));
    await expectNothing(driver, keys);
    expectEqual((await write(driver, 'a/page-1', bytes(60, 2))).status, 'stored', 'write answered');
    expectBytes((await read(driver, 'a/page-1')).value, bytes(60, 2), 'the value that was written again');
    expectSame(await listAll(driver), ['a/page-1']);
  },

  async 'removing one namespace leaves those whose names are like it'(stores) {
    const driver = await openWithList(stores);
    const others = ['bar2', 'foo_bar', 'foo/bar', 'ba', 'bar.x'].flatMap(namespace);
    await writeAll(driver, [...namespace('bar'), ...others, 'bar'], bytes(50));
    await removeAll(
      driver,
      (await listAll(driver)).filter((key) => key.startsWith('bar/')),
    );
    expectSame(await listAll(driver), [...others, 'bar']);
    for (const key of [others[0]!, others.at(-1)!, 'bar'])
      expectBytes((await read(driver, key)).value, bytes(50), `the value of '${key}'`);
  },

  async 'values can be removed while they are listed'(stores) {
    const driver = await openWithList(stores);
    const all = [...namespace('a'), ...namespace('b'), ...namespace('c')];
    await writeAll(driver, all, bytes(5));
    let cursor: string | undefined;
    do {
      const { keys, next } = await driver.list!(cursor, never);
      await removeAll(driver, keys);
      cursor = next;
    } while (cursor !== undefined);
    await expectNothing(driver, all);
  },
};

async function removeAll(driver: StorageDriver, keys: readonly string[]): Promise<void> {
  for (const portion of portions(keys, driver))
    expectOneOf(await driver.remove(portion, never), portion.length, ['removed', 'miss'], 'remove');
}

/** That none of these keys is there, whatever a list says, and that a list says so too. */
async function expectNothing(driver: StorageDriver, keys: readonly string[]): Promise<void> {
  expectSame(await listAll(driver), []);
  for (const portion of portions(keys, driver))
    expectOneOf(await driver.has(portion, never), portion.length, ['miss'], 'has');
}
