import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, has, listAll, never, read, remove, write } from '../calls.ts';
import type { Cases, Stores } from '../case.ts';
import { expect, expectBytes, expectEqual } from '../expect.ts';

/** As short as stores have it: the group waits for so long some times. */
const SECONDS = 1;
/** Tries of what only a machine that stood still meanwhile can spoil. */
const TRIES = 20;

/** Values that leave by themselves. */
export const ttl: Cases = {
  async 'its capabilities say after how long'(stores) {
    const driver = await openExpiring(stores);
    expectEqual(driver.capabilities.ttl, SECONDS, 'capabilities.ttl is');
  },

  async 'a value is there at first, and a miss everywhere in the end'(stores) {
    const driver = await openExpiring(stores);
    const value = bytes(1000);
    await unlessLate(async () => {
      await write(driver, 'a', value);
      return (await read(driver, 'a')).value !== undefined;
    });
    await stores.until('a value that expires', async () => (await has(driver, 'a')).status === 'miss');
    expectEqual((await read(driver, 'a')).result, { status: 'miss' }, 'read answered');
    expectEqual(await remove(driver, 'a'), { status: 'miss' }, 'remove answered');
    if (driver.capabilities.list) expectEqual(await listAll(driver), [], 'a list gave');
  },

  async 'a value that has expired can be written again'(stores) {
    const driver = await openExpiring(stores);
    await write(driver, 'a', bytes(1000, 1));
    await stores.until('a value that expires', async () => (await has(driver, 'a')).status === 'miss');
    await unlessLate(async () => {
      expectEqual((await write(driver, 'b', bytes(10, 2))).status, 'stored', 'write answered');
      await driver.write([{ key: 'a', parts: [bytes(1000, 2)] }], never);
      const { value } = await read(driver, 'a');
      if (value) expectBytes(value, bytes(1000, 2), 'the value that was written again');
      await remove(driver, 'b');
      return value !== undefined;
    });
  },
};

async function openExpiring({ options, adopt, make, skip }: Stores): Promise<StorageDriver> {
  if (!options.makeExpiring) {
    const { ttl } = (await make()).capabilities;
    if (ttl === undefined) return skip('Values stay: capabilities.ttl is absent.');
    return skip(`Values stay for ${ttl} s, and no 'makeExpiring' is given.`);
  }
  const driver = adopt(await options.makeExpiring(SECONDS));
  await driver.open(never);
  return driver;
}

/** That something is so, where it took less than half of the time after which it may be otherwise. */
async function unlessLate(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < TRIES; i++) {
    const began = performance.now();
    if (await isSo()) return;
    const milliseconds = performance.now() - began;
    expect(milliseconds > 500 * SECONDS, `a value was gone after ${milliseconds.toFixed(0)} ms already`);
  }
}
