import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, never, read, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectBytes, expectEqual, expectOneOf } from '../expect.ts';

/** A key that is there already. */
export const overwrite: Cases = {
  async 'a second write of a key either replaces the value or leaves it, and says which'({ open }) {
    await writeAgain(await open(), bytes(500, 1), bytes(500, 2));
  },

  async 'a longer value, a shorter one and an empty one are no less than that'({ open }) {
    const driver = await open();
    let there = bytes(500, 1);
    for (const [i, length] of [9000, 20, 0, 300_000, 1].entries()) {
      const next = bytes(length, 2 + i);
      const { status } = await write(driver, 'a', next);
      expectOneOf([{ status }], 1, ['stored', 'exists'], 'write');
      if (status === 'stored') there = next;
      else if (i === 0) there = (await read(driver, 'a', 300_000)).value ?? there;
      const { value } = await read(driver, 'a', 300_000);
      expectBytes(value, there, `the value after one of ${length} bytes was ${status}`);
    }
  },

  async 'a value that is written again as it is stays as it is'({ open }) {
    const driver = await open();
    const value = bytes(2000);
    for (let i = 0; i < 5; i++)
      expectOneOf([await write(driver, 'a', value)], 1, ['stored', 'exists'], 'write');
    expectBytes((await read(driver, 'a')).value, value, 'the value that was read');
  },

  async 'overwriting one key leaves the others'({ open }) {
    const driver = await open();
    const others = ['b', 'a/b', 'aa', 'a.a'];
    for (const [i, key] of others.entries()) await write(driver, key, bytes(700, i));
    await writeAgain(driver, bytes(500, 10), bytes(900, 11));
    for (const [i, key] of others.entries())
      expectBytes((await read(driver, key)).value, bytes(700, i), `the value of '${key}'`);
  },
};

async function writeAgain(driver: StorageDriver, first: Buffer, second: Buffer): Promise<void> {
  expectEqual((await write(driver, 'a', first)).status, 'stored', 'the first write answered');
  const [answer] = await driver.write([{ key: 'a', parts: [second] }], never);
  expect(answer !== undefined, 'the second write has no answer');
  expectOneOf([answer], 1, ['stored', 'exists'], 'the second write');
  const expected = answer.status === 'stored' ? second : first;
  expectBytes((await read(driver, 'a')).value, expected, `the value after the second was ${answer.status}`);
}
