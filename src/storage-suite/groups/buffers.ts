import { setTimeout as sleep } from 'node:timers/promises';
import { bytes, never, pageKeys, read, settled, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expect, expectBytes, expectEqual, expectFilled, expectOutcomes } from '../expect.ts';

/** For how long buffers are watched that nobody may touch any more. A driver that is right never fails by it. */
const WATCH_MS = 50;

/** Every buffer is the caller’s. */
export const buffers: Cases = {
  async 'a value may come in parts and go into buffers that are split elsewhere'({ open }) {
    const driver = await open();
    const value = bytes(1000);
    const parts = [value.subarray(0, 1), value.subarray(1, 1), value.subarray(1, 700), value.subarray(700)];
    await driver.write([{ key: 'a', parts }], never);
    const into = [Buffer.alloc(300), Buffer.alloc(0), Buffer.alloc(699), Buffer.alloc(1)];
    const results = await driver.read([{ key: 'a', into }], never);
    expectEqual(results, [{ status: 'hit', bytes: 1000 }], 'read answered');
    expectBytes(Buffer.concat(into), value, 'the value in split buffers');
  },

  async 'a value of more parts than a system call takes comes back'({ open }) {
    const driver = await open();
    const value = bytes(3000);
    const split = (whole: Buffer) => Array.from({ length: 3000 }, (_, i) => whole.subarray(i, i + 1));
    const into = Buffer.alloc(3000);
    expectOutcomes(await driver.write([{ key: 'a', parts: split(value) }], never), ['stored'], 'write');
    expectOutcomes(await driver.read([{ key: 'a', into: split(into) }], never), ['hit'], 'read');
    expectBytes(into, value, 'the value in 3000 buffers');
  },

  async 'a value without parts is an empty one'({ open }) {
    const driver = await open();
    expectOutcomes(await driver.write([{ key: 'a', parts: [] }], never), ['stored'], 'write');
    const results = await driver.read([{ key: 'a', into: [] }], never);
    expectEqual(results, [{ status: 'hit', bytes: 0 }], 'read answered');
  },

  async 'buffers may be views of any memory, at any place in it'({ open }) {
    const driver = await open();
    const value = bytes(777);
    const memory = new ArrayBuffer(2000);
    for (const offset of [0, 1, 3, 7, 13, 1223]) {
      const view = new Uint8Array(memory, offset, 777);
      new Uint8Array(memory).fill(0);
      view.set(value);
      const key = `at-${offset}`;
      expectOutcomes(await driver.write([{ key, parts: [view] }], never), ['stored'], 'write');
      new Uint8Array(memory).fill(7);
      expectOutcomes(await driver.read([{ key, into: [view] }], never), ['hit'], 'read');
      expectBytes(view, value, `the value in a view at ${offset}`);
      expectFilled(new Uint8Array(memory, 0, offset), 7, 'memory before a view');
      expectFilled(new Uint8Array(memory, offset + 777), 7, 'memory after a view');
    }
  },

  async 'a write leaves the caller’s buffers as they were, and does not see what they become'({ open }) {
    const driver = await open();
    const value = bytes(500);
    const memory = Buffer.alloc(700, 7);
    const given = memory.subarray(100, 600);
    given.set(value);
    await write(driver, 'a', given);
    expectBytes(given, value, 'the buffer that was written from');
    expectFilled(memory.subarray(0, 100), 7, 'memory before the buffer');
    expectFilled(memory.subarray(600), 7, 'memory after the buffer');
    given.fill(0);
    expectBytes(
      (await read(driver, 'a')).value,
      value,
      'the value after its buffer was used for something else',
    );
  },

  async 'many writes do not see what their buffers become'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 32));
    const given = keys.map((_, i) => bytes(100_000, i));
    const results = await driver.write(
      keys.map((key, i) => ({ key, parts: [given[i]!.subarray(0, 1000), given[i]!.subarray(1000)] })),
      never,
    );
    await settled(results);
    for (const buffer of given) buffer.fill(0);
    for (const [i, key] of keys.entries())
      expectBytes((await read(driver, key, 100_000)).value, bytes(100_000, i), `the value of key ${i + 1}`);
  },

  async 'a read leaves bytes around its buffers alone, and does not see what they become'({ open }) {
    const driver = await open();
    const value = bytes(500);
    await write(driver, 'a', value);
    const memory = Buffer.alloc(700, 7);
    await driver.read([{ key: 'a', into: [memory.subarray(100, 300), memory.subarray(310, 610)] }], never);
    expectFilled(memory.subarray(0, 100), 7, 'memory before the buffers');
    expectFilled(memory.subarray(300, 310), 7, 'memory between the buffers');
    expectFilled(memory.subarray(610), 7, 'memory after the buffers');
    memory.fill(0);
    expectBytes(
      (await read(driver, 'a')).value,
      value,
      'the value after its buffers were used for something else',
    );
  },

  async 'a hit leaves bytes beyond the value alone'({ open }) {
    const driver = await open();
    const value = bytes(500);
    await write(driver, 'a', value);
    const into = [Buffer.alloc(300, 7), Buffer.alloc(300, 7), Buffer.alloc(300, 7)];
    expectEqual(
      await driver.read([{ key: 'a', into }], never),
      [{ status: 'hit', bytes: 500 }],
      'read answered',
    );
    const whole = Buffer.concat(into);
    expectBytes(whole.subarray(0, 500), value, 'the value');
    expectFilled(whole.subarray(500), 7, 'a buffer beyond the value');
  },

  async 'where a driver says that buffers are filled, they hold the value by then'({ open, skip }) {
    const driver = await open();
    if (driver.capabilities.batch < 3) skip('Its batches have fewer than three keys.');
    const value = bytes(2000);
    await write(driver, 'a', value);
    const into = Buffer.alloc(3000);
    const seen: Buffer[] = [];
    const filled = (length: number) => void seen.push(Buffer.from(into.subarray(0, length)));
    const reads = [
      { key: 'a', into: [into], filled },
      { key: 'missing', into: [Buffer.alloc(10)], filled },
      { key: 'a', into: [Buffer.alloc(10)], filled },
    ];
    expectOutcomes(await driver.read(reads, never), ['hit', 'miss', 'size'], 'read');
    expect(seen.length <= 1, `filled was called ${seen.length} times for one hit`);
    for (const each of seen) expectBytes(each, value, 'the value when filled was called');
    expectBytes(into.subarray(0, 2000), value, 'the value in the end');
  },

  async 'a call that has answered does not touch its buffers any more'({ open }) {
    const driver = await open();
    const keys = pageKeys(Math.min(driver.capabilities.batch, 16));
    const given = keys.map(() => Buffer.alloc(50_000, 1));
    const written = await driver.write(
      keys.map((key, i) => ({ key, parts: [given[i]!] })),
      never,
    );
    const into = keys.map(() => Buffer.alloc(50_000));
    const results = await driver.read(
      keys.map((key, i) => ({ key, into: [into[i]!] })),
      never,
    );
    await settled([...written, ...results]);
    for (const buffer of [...given, ...into]) buffer.fill(9);
    await sleep(WATCH_MS);
    await driver.close();
    for (const buffer of given) expectFilled(buffer, 9, 'a buffer of a write that was over');
    for (const buffer of into) expectFilled(buffer, 9, 'a buffer of a read that was over');
  },
};
