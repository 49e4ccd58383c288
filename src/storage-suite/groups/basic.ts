import { bytes, has, never, read, remove, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectBytes, expectEqual } from '../expect.ts';

const SIZES = [0, 1, 255, 256, 257, 4095, 65_537];

/** One key at a time. */
export const basic: Cases = {
  async 'its name and capabilities say what it can'({ make }) {
    const driver = await make();
    const { batch, largestValue, list, ttl } = driver.capabilities;
    expect(
      /^[a-z0-9]+$/.test(driver.name),
      `the name '${driver.name}' is not of lower-case letters and digits`,
    );
    expect(Object.isFrozen(driver.capabilities), 'the capabilities are not frozen');
    expect(batch > 0, `a batch of ${batch} keys is none`);
    expect(largestValue > 2 ** 20, `a page does not fit into a value of ${largestValue} bytes`);
    expect(ttl === undefined || ttl > 0, `a time to live of ${ttl} s is none`);
    expectEqual(typeof driver.list === 'function', list, 'that there is a function list, is');
  },

  async 'what was written is found and read back'({ open }) {
    const driver = await open();
    const value = bytes(1000);
    expectEqual(await write(driver, 'a', value), { status: 'stored' }, 'write answered');
    expectEqual(await has(driver, 'a'), { status: 'hit' }, 'has answered');
    const { result, value: got } = await read(driver, 'a');
    expectEqual(result, { status: 'hit', bytes: 1000 }, 'read answered');
    expectBytes(got, value, 'the value that was read');
  },

  async 'what was never written is a miss everywhere'({ open }) {
    const driver = await open();
    expectEqual(await has(driver, 'a'), { status: 'miss' }, 'has answered');
    expectEqual((await read(driver, 'a')).result, { status: 'miss' }, 'read answered');
    expectEqual(await remove(driver, 'a'), { status: 'miss' }, 'remove answered');
  },

  async 'a value of any small size comes back'({ open }) {
    const driver = await open();
    for (const length of SIZES) {
      const value = bytes(length, length);
      await write(driver, `value-${length}`, value);
      const { result, value: got } = await read(driver, `value-${length}`, length);
      expectEqual(result, { status: 'hit', bytes: length }, 'read answered');
      expectBytes(got, value, 'the value that was read');
    }
  },

  async 'a value of every byte, and of ends of lines and zeros alone, comes back'({ open }) {
    const driver = await open();
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const values = [
      every,
      Buffer.from('\r\n'),
      Buffer.from('\n\n\n'),
      Buffer.alloc(100),
      Buffer.from('$-1\r\n'),
    ];
    for (const [i, value] of values.entries()) await write(driver, `value-${i}`, value);
    for (const [i, value] of values.entries())
      expectBytes((await read(driver, `value-${i}`)).value, value, 'the value that was read');
  },

  async 'a buffer larger than the value is good, and one that is too small is an error of kind size'({
    open,
  }) {
    const driver = await open();
    const value = bytes(1000);
    await write(driver, 'a', value);
    expectBytes((await read(driver, 'a', 5000)).value, value, 'the value in a larger buffer');
    const small = Buffer.alloc(999);
    const [tooSmall] = await driver.read([{ key: 'a', into: [small] }], never);
    expectEqual(
      tooSmall?.status === 'error' && tooSmall.error.kind,
      'size',
      'a buffer too small was answered',
    );
    expectBytes(small, value.subarray(0, 999), 'the beginning in a buffer too small');
    const [none] = await driver.read([{ key: 'a', into: [] }], never);
    expectEqual(none?.status === 'error' && none.error.kind, 'size', 'no buffer was answered');
    expectBytes((await read(driver, 'a')).value, value, 'the value afterwards');
  },

  async 'what was removed is a miss, and can be written again'({ open }) {
    const driver = await open();
    await write(driver, 'a', bytes(10, 1));
    expectEqual(await remove(driver, 'a'), { status: 'removed' }, 'remove answered');
    expectEqual(await has(driver, 'a'), { status: 'miss' }, 'has answered');
    expectEqual((await read(driver, 'a')).result, { status: 'miss' }, 'read answered');
    expectEqual(await remove(driver, 'a'), { status: 'miss' }, 'a second remove answered');
    expectEqual(await write(driver, 'a', bytes(10, 2)), { status: 'stored' }, 'write answered');
    expectBytes((await read(driver, 'a')).value, bytes(10, 2), 'the value that was written again');
  },

  async 'its usage, where it tells one, is at least what was written'({ open, skip }) {
    const driver = await open();
    if (!driver.usage) skip('It tells no usage.');
    await write(driver, 'a', bytes(5000));
    const used = driver.usage?.()?.usedBytes;
    expect(used === undefined || used >= 5000, `the usage is ${used} bytes after 5000 were written`);
  },
};
