import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, listAll, never, pageKey, pageKeys, portions } from '../calls.ts';
import type { Cases, Stores } from '../case.ts';
import { expect, expectEqual, unlessRefused } from '../expect.ts';

/** Keys of the store that is listed while it changes, at least and at most: enough for several portions. */
const FEW = 400;
const MANY = 2400;

/** Every key, and no other. */
export const list: Cases = {
  async 'a list gives every key, over as many portions as it takes'(stores) {
    const driver = await openWithList(stores);
    expectEqual(await listAll(driver), [], 'an empty store has listed');
    const keys = [...pageKeys(250), 'a', 'a/b', 'ab/cd/ef', 'b.c', 'zz', '-a', '_a'];
    await writeAll(driver, keys, bytes(3));
    expectSame(await listAll(driver), keys);
  },

  async 'a list tells of every key one length, where it tells them'(stores) {
    const driver = await openWithList(stores);
    await writeAll(driver, pageKeys(20), bytes(300));
    let cursor: string | undefined;
    do {
      const { keys, bytes: lengths, next } = await driver.list!(cursor, never);
      if (!lengths) return stores.skip('It tells no lengths.');
      expectEqual(lengths.length, keys.length, 'lengths for the keys of a portion:');
      const wrong = lengths.find((length) => !Number.isInteger(length) || length < 0);
      expect(wrong === undefined, `a list says that a value has ${wrong} bytes`);
      cursor = next;
    } while (cursor !== undefined);
  },

  async 'a list does not give what was removed'(stores) {
    const driver = await openWithList(stores);
    const keys = pageKeys(30);
    await writeAll(driver, keys, bytes(3));
    await driver.remove(keys.slice(0, 10), never);
    expectSame(await listAll(driver), keys.slice(10));
  },

  async 'a list under changes still gives every other key'(stores) {
    const driver = await openWithList(stores);
    const keys = await writePortions(driver);
    const stable = new Set(keys.slice(200));
    const seen: string[] = [];
    let cursor: string | undefined;
    let round = 0;
    do {
      const portion = await driver.list!(cursor, never);
      seen.push(...portion.keys.filter((key) => stable.has(key)));
      cursor = portion.next;
      if (round < 20) {
        await driver.remove(keys.slice(10 * round, 10 * round + 10), never);
        await driver.write([{ key: pageKey(5000 + round), parts: [] }], never);
      }
      round++;
    } while (cursor !== undefined);
    expectSame(seen, [...stable]);
  },

  async 'a list whose signal aborts ends, with keys or a failure'(stores) {
    const driver = await openWithList(stores);
    await writeAll(driver, pageKeys(100), bytes(3));
    const ended = (signal: AbortSignal) => unlessRefused(driver.list!(undefined, signal));
    await ended(AbortSignal.abort());
    const during = new AbortController();
    const call = ended(during.signal);
    during.abort();
    await call;
    expectSame(await listAll(driver), pageKeys(100));
  },
};

/** Skips the case where the driver has no list. */
export async function openWithList({ open, skip }: Stores): Promise<StorageDriver> {
  const driver = await open();
  if (!driver.capabilities.list) skip('It does not list: capabilities.list is false.');
  return driver;
}

/** Writes keys until a list has several portions, or there are so many that it needs none. */
async function writePortions(driver: StorageDriver): Promise<string[]> {
  let count = FEW;
  await writeAll(driver, pageKeys(count), Buffer.alloc(0));
  while (count < MANY && (await portionsOfList(driver)) < 4) {
    await writeAll(driver, pageKeys(1000, count), Buffer.alloc(0));
    count += 1000;
  }
  return pageKeys(count);
}

async function portionsOfList(driver: StorageDriver): Promise<number> {
  let count = 0;
  let cursor: string | undefined;
  do {
    cursor = (await driver.list!(cursor, never)).next;
    count++;
  } while (cursor !== undefined);
  return count;
}

export async function writeAll(
  driver: StorageDriver,
  keys: readonly string[],
  value: Uint8Array,
): Promise<void> {
  for (const portion of portions(keys, driver))
    await driver.write(
      portion.map((key) => ({ key, parts: [value] })),
      never,
    );
}

/** That a list gave these keys and no others; some may come twice. */
export function expectSame(listed: readonly string[], keys: readonly string[]): void {
  const seen = new Set(listed);
  const missing = keys.filter((key) => !seen.has(key));
  expect(
    missing.length === 0,
    `the list leaves out ${missing.length} of ${keys.length} keys, such as '${missing[0]}'`,
  );
  const known = new Set(keys);
  const surplus = listed.find((key) => !known.has(key));
  expect(surplus === undefined, `the list gives '${surplus}', which is not there`);
}
