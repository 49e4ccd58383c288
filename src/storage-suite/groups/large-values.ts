import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, has, never, read, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expectBytes, expectEqual, expectOutcomes } from '../expect.ts';

const MIB = 2 ** 20;
const SIZES = [MIB - 1, MIB, MIB + 1, 3_000_001, 8 * MIB + 3];
/** A largest value up to here is written whole. Of larger ones only what is too large is asked for. */
const WHOLE = 64 * MIB;

/** Pages have up to several megabytes. */
export const largeValues: Cases = {
  async 'a value of several megabytes comes back'({ open, skip }) {
    const driver = await open();
    const sizes = fitting(driver);
    if (sizes.length === 0) skip(`Its largest value has ${driver.capabilities.largestValue} bytes.`);
    for (const length of sizes) {
      const value = bytes(length, length);
      expectEqual(
        (await write(driver, 'value', value)).status,
        'stored',
        `a write of ${length} bytes answered`,
      );
      const { result, value: got } = await read(driver, 'value', length);
      expectEqual(result, { status: 'hit', bytes: length }, 'read answered');
      expectBytes(got, value, 'the value that was read');
      await driver.remove(['value'], never);
    }
  },

  async 'large values in one batch, and in calls at the same time, are not mixed'({ open, skip }) {
    const driver = await open();
    const length = Math.min(3_000_001, driver.capabilities.largestValue);
    if (driver.capabilities.batch < 2) skip('Its batches have one key.');
    const keys = ['a', 'b', 'c', 'd'];
    const values = keys.map((_, i) => bytes(length, i));
    const writes = keys.map((key, i) => ({ key, parts: [values[i]!] }));
    const [first, second] = await Promise.all([
      driver.write(writes.slice(0, 2), never),
      driver.write(writes.slice(2), never),
    ]);
    expectOutcomes([...first, ...second], Array(4).fill('stored'), 'write');
    const into = keys.map(() => Buffer.alloc(length));
    const reads = keys.map((key, i) => ({ key, into: [into[i]!] }));
    const halves = [driver.read(reads.slice(0, 2), never), driver.read(reads.slice(2), never)];
    expectOutcomes((await Promise.all(halves)).flat(), Array(4).fill('hit'), 'read');
    for (const [i, value] of values.entries()) expectBytes(into[i], value, `the value of key ${i + 1}`);
  },

  async 'a large value that does not fit into the buffers is an error of kind size'({ open }) {
    const driver = await open();
    const length = Math.min(3_000_001, driver.capabilities.largestValue);
    const value = bytes(length);
    await write(driver, 'a', value);
    const small = Buffer.alloc(length - 1);
    expectOutcomes(await driver.read([{ key: 'a', into: [small] }], never), ['size'], 'read');
    expectBytes(small, value.subarray(0, length - 1), 'the beginning in a buffer too small');
  },

  async 'a value of the largest size is stored, and one byte more is refused alone'({ open }) {
    const driver = await open();
    const { largestValue } = driver.capabilities;
    if (largestValue <= WHOLE) {
      const value = bytes(largestValue);
      expectEqual((await write(driver, 'largest', value)).status, 'stored', 'the largest value was answered');
      expectBytes((await read(driver, 'largest', largestValue)).value, value, 'the largest value');
    }
    const writes = [{ key: 'larger', parts: zeros(largestValue + 1) }];
    const good = [{ key: 'good', parts: [bytes(5)] }];
    if (driver.capabilities.batch > 1)
      expectOutcomes(await driver.write([...writes, ...good], never), ['size', 'stored'], 'write');
    else expectOutcomes(await driver.write(writes, never), ['size'], 'write');
    expectEqual((await has(driver, 'larger')).status, 'miss', 'has of the value that was too large answered');
  },
};

function fitting({ capabilities }: StorageDriver): number[] {
  return SIZES.filter((size) => size <= capabilities.largestValue);
}

/** So many bytes in parts that are all the same memory: a gigabyte costs a megabyte. */
function zeros(length: number): Uint8Array[] {
  const part = Buffer.alloc(MIB);
  const parts: Uint8Array[] = Array(Math.floor(length / MIB)).fill(part);
  parts.push(part.subarray(0, length % MIB));
  return parts;
}
