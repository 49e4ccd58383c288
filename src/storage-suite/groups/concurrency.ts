import { bytes, has, never, outcome, pageKeys, read, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectBytes, expectEqual, expectOneOf, expectOutcomes } from '../expect.ts';

const GOOD = ['stored', 'exists', 'hit', 'miss', 'removed'];

/** Calls at the same time. */
export const concurrency: Cases = {
  async 'calls on the same key at the same time never mix values'({ open }) {
    const driver = await open();
    // Each is of one byte and has a length of its own, so that a mixture shows.
    const values = Array.from({ length: 6 }, (_, i) => Buffer.alloc(20_000 + 1000 * i, i + 1));
    const reading = [];
    const others = [];
    for (const [i, value] of values.entries()) {
      others.push(driver.write([{ key: 'a', parts: [value] }], never));
      reading.push(read(driver, 'a', 30_000));
      if (i % 2 === 1) others.push(driver.remove(['a'], never));
    }
    const reads = await Promise.all(reading);
    const answers = [
      ...(await Promise.all<{ status: string }[]>(others)).flat(),
      ...reads.map(({ result }) => result),
    ];
    expectOneOf(answers, answers.length, GOOD, 'a call');
    for (const { value } of reads) {
      if (value === undefined) continue;
      const whole = values.find(({ length }) => length === value.length);
      expect(whole !== undefined, `a value of ${value.length} bytes was read, and none such written`);
      expectBytes(value, whole, 'the value that was read meanwhile');
    }
    await write(driver, 'a', bytes(50, 9));
    expectEqual((await has(driver, 'a')).status, 'hit', 'has answered afterwards');
  },

  async 'many calls at the same time are each answered for their own keys'({ open }) {
    const driver = await open();
    const keys = pageKeys(60);
    const stored = await Promise.all(
      keys.map((key, i) => driver.write([{ key, parts: [bytes(1000 + i, i)] }], never)),
    );
    expectOutcomes(stored.flat(), Array(60).fill('stored'), 'write');
    const work = keys.map(async (key, i) => {
      if (i % 3 === 0) return outcome(await has(driver, key));
      if (i % 3 === 1) return (await driver.remove([key], never)).map(outcome).join();
      const { result, value } = await read(driver, key);
      expectBytes(value, bytes(1000 + i, i), `the value of key ${i + 1}`);
      return outcome(result);
    });
    const expected = keys.map((_, i) => (i % 3 === 1 ? 'removed' : 'hit'));
    expectEqual(await Promise.all(work), expected, 'the calls answered');
  },

  async 'batches that share keys at the same time give whole values'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 16));
    const values = keys.map((_, i) => bytes(30_000, i));
    const writes = keys.map((key, i) => ({ key, parts: [values[i]!] }));
    const rounds = Array.from({ length: 4 }, async (_, round) => {
      const order = round % 2 === 0 ? writes : writes.toReversed();
      expectOneOf(await driver.write(order, never), keys.length, GOOD, 'write');
      const into = keys.map(() => Buffer.alloc(30_000));
      const results = await driver.read(
        keys.map((key, i) => ({ key, into: [into[i]!] })),
        never,
      );
      expectOutcomes(results, Array(keys.length).fill('hit'), 'read');
      for (const [i, value] of values.entries()) expectBytes(into[i], value, `the value of key ${i + 1}`);
    });
    await Promise.all(rounds);
  },
};
