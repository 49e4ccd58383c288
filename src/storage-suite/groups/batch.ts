import { bytes, never, outcome, pageKeys } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expectBytes, expectEqual, expectOneOf, expectOutcomes } from '../expect.ts';

const MOST = 256;

/** Many keys in one call. */
export const batch: Cases = {
  async 'an empty batch has an empty answer'({ open }) {
    const driver = await open();
    expectEqual(await driver.has([], never), [], 'has answered');
    expectEqual(await driver.read([], never), [], 'read answered');
    expectEqual(await driver.write([], never), [], 'write answered');
    expectEqual(await driver.remove([], never), [], 'remove answered');
  },

  async 'a full batch is answered in the order of its keys, each for itself'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, MOST));
    const isThere = (i: number) => i % 3 !== 0;
    const writes = keys.map((key, i) => ({ key, parts: [bytes(10 + i, i)] })).filter((_, i) => isThere(i));
    expectOutcomes(await driver.write(writes, never), Array(writes.length).fill('stored'), 'write');
    const expected = keys.map((_, i) => (isThere(i) ? 'hit' : 'miss'));
    expectOutcomes(await driver.has(keys, never), expected, 'has');
    const into = keys.map(() => [Buffer.alloc(10 + MOST)]);
    const results = await driver.read(
      keys.map((key, i) => ({ key, into: into[i]! })),
      never,
    );
    expectOutcomes(results, expected, 'read');
    for (const [i, result] of results.entries()) {
      if (result.status !== 'hit') continue;
      expectBytes(into[i]![0]!.subarray(0, result.bytes), bytes(10 + i, i), `the value of key ${i + 1}`);
    }
    const removed = expected.map((status) => (status === 'hit' ? 'removed' : 'miss'));
    expectOutcomes(await driver.remove(keys, never), removed, 'remove');
  },

  async 'keys in another order than they were written are answered in the order that was asked for'({
    open,
  }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 32));
    await driver.write(
      keys.map((key, i) => ({ key, parts: [bytes(100, i)] })),
      never,
    );
    const order = keys.map((_, i) => keys.length - 1 - i);
    const into = order.map(() => Buffer.alloc(100));
    await driver.read(
      order.map((from, i) => ({ key: keys[from]!, into: [into[i]!] })),
      never,
    );
    for (const [i, from] of order.entries())
      expectBytes(into[i], bytes(100, from), `the value of key ${i + 1}`);
  },

  async 'one key that fails fails alone'({ open }) {
    const driver = await open();
    const value = bytes(100);
    await driver.write(
      ['a', 'b', 'c'].map((key) => ({ key, parts: [value] })),
      never,
    );
    const into = [Buffer.alloc(100), Buffer.alloc(99), Buffer.alloc(100)];
    const reads = ['a', 'b', 'c'].map((key, i) => ({ key, into: [into[i]!] }));
    expectOutcomes(await driver.read(reads, never), ['hit', 'size', 'hit'], 'read');
    expectBytes(into[0], value, 'the value before it');
    expectBytes(into[2], value, 'the value after it');
  },

  async 'a key that is twice in a batch is answered twice'({ open, skip }) {
    const driver = await open();
    if (driver.capabilities.batch < 2) skip('Its batches have one key.');
    const value = bytes(100);
    const write = { key: 'a', parts: [value] };
    expectOneOf(await driver.write([write, write], never), 2, ['stored', 'exists'], 'write');
    const into = [Buffer.alloc(100), Buffer.alloc(100)];
    const reads = into.map((buffer) => ({ key: 'a', into: [buffer] }));
    expectEqual((await driver.read(reads, never)).map(outcome), ['hit', 'hit'], 'read answered');
    for (const buffer of into) expectBytes(buffer, value, 'the value that was read');
  },
};
