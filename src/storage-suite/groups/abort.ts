import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, never, outcome, pageKeys, read, settled, write } from '../calls.ts';
import type { Cases } from '../case.ts';
import { expectBytes, expectEqual, expectFilled, expectOneOf, expectOutcomes } from '../expect.ts';

const LENGTH = 20_000;

/** When a signal aborts after a call has begun: in the same tick, or so many turns of the event loop later. */
const TURNS = [0, 1, 2, 5];

/** Calls that nobody waits for any more. */
export const abort: Cases = {
  async 'a signal that has aborted before a call fails its keys and changes nothing'({ open }) {
    const driver = await open();
    await write(driver, 'a', bytes(10));
    const gone = AbortSignal.abort();
    const both = ['a', 'b'].slice(0, driver.capabilities.batch);
    expectOutcomes(await driver.has(both, gone), Array(both.length).fill('aborted'), 'has');
    expectOutcomes(await driver.read([{ key: 'a', into: [Buffer.alloc(10)] }], gone), ['aborted'], 'read');
    expectOutcomes(await driver.write([{ key: 'b', parts: [bytes(10)] }], gone), ['aborted'], 'write');
    expectOutcomes(await driver.remove(['a'], gone), ['aborted'], 'remove');
    expectOutcomes(await driver.has(['a'], never), ['hit'], 'has afterwards');
    expectOutcomes(await driver.has(['b'], never), ['miss'], 'has afterwards');
  },

  async 'a has whose signal aborts ends with an answer for every key'({ open }) {
    const driver = await open();
    const keys = await fill(driver, 64);
    for (const turns of TURNS) {
      const results = await aborted(turns, (signal) => driver.has(keys, signal));
      expectOneOf(results, keys.length, ['hit', 'aborted'], 'has');
    }
  },

  async 'a read whose signal aborts ends with an answer for every key, and then leaves the buffers alone'({
    open,
  }) {
    const driver = await open();
    const keys = await fill(driver, 64);
    const done: Buffer[] = [];
    for (const turns of TURNS) {
      const buffers = keys.map(() => Buffer.alloc(LENGTH));
      const reads = keys.map((key, i) => ({ key, into: [buffers[i]!] }));
      const results = await aborted(turns, (signal) => driver.read(reads, signal));
      await settled(results);
      expectOneOf(results, keys.length, ['hit', 'aborted'], 'read');
      for (const [i, result] of results.entries())
        if (result.status === 'hit')
          expectFilled(buffers[i]!, 1, 'a value that was read in spite of the abort');
      for (const buffer of buffers) done.push(buffer.fill(9));
    }
    await fill(driver, 64);
    await driver.close();
    for (const buffer of done) expectFilled(buffer, 9, 'a buffer of a read that was over');
  },

  async 'a write whose signal aborts has written a value whole or not at all, and then leaves the buffers alone'({
    open,
  }) {
    const driver = await open();
    for (const [round, turns] of TURNS.entries()) {
      const keys = pageKeys(Math.min(driver.capabilities.batch, 64), 1000 * (1 + round));
      const value = Buffer.alloc(LENGTH, 2);
      const writes = keys.map((key) => ({ key, parts: [value] }));
      const results = await aborted(turns, (signal) => driver.write(writes, signal));
      await settled(results);
      expectFilled(value, 2, 'a value that was being written');
      value.fill(3);
      expectOneOf(results, keys.length, ['stored', 'aborted'], 'write');
      for (const [i, key] of keys.entries()) {
        const { result, value: got } = await read(driver, key, LENGTH);
        if (results[i]!.status === 'stored')
          expectEqual(outcome(result), 'hit', 'a read of what was stored answered');
        if (got) expectBytes(got, Buffer.alloc(LENGTH, 2), 'a value whose write was aborted');
      }
      expectFilled(value, 3, 'a buffer of a write that was over');
    }
  },

  async 'a remove whose signal aborts ends with an answer for every key, and can be made again'({ open }) {
    const driver = await open();
    for (const turns of TURNS) {
      const keys = await fill(driver, 64);
      const results = await aborted(turns, (signal) => driver.remove(keys, signal));
      await settled(results);
      expectOneOf(results, keys.length, ['removed', 'aborted'], 'remove');
      expectOneOf(await driver.remove(keys, never), keys.length, ['removed', 'miss'], 'a second remove');
      expectOutcomes(await driver.has(keys, never), Array(keys.length).fill('miss'), 'has');
    }
  },

  async 'an abort ends its own call only'({ open }) {
    const driver = await open();
    const keys = await fill(driver, 16);
    const into = keys.map(() => Buffer.alloc(LENGTH));
    const kept = driver.read(
      keys.map((key, i) => ({ key, into: [into[i]!] })),
      never,
    );
    const wanted = driver.has(keys, never);
    await aborted(0, (signal) => driver.has(keys, signal));
    expectOutcomes(await kept, Array(keys.length).fill('hit'), 'a read at the same time');
    expectOutcomes(await wanted, Array(keys.length).fill('hit'), 'a has at the same time');
    for (const buffer of into) expectFilled(buffer, 1, 'a value that was read at the same time');
  },

  async 'an open whose signal aborts ends, and it can be closed'({ make }) {
    for (const turns of [-1, ...TURNS]) {
      const driver = await make();
      const opening =
        turns === -1 ? driver.open(AbortSignal.abort()) : aborted(turns, (signal) => driver.open(signal));
      await opening.catch(() => undefined);
      await driver.close();
    }
  },
};

/** Makes a call whose signal aborts so many turns after it has begun. */
async function aborted<T>(turns: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const answer = call(controller.signal);
  for (let turn = 0; turn < turns; turn++) await nextTurn();
  controller.abort();
  return await answer;
}

/** Keys with values of {@link LENGTH} ones. */
async function fill(driver: StorageDriver, count: number): Promise<string[]> {
  const keys = pageKeys(Math.min(driver.capabilities.batch, count));
  await driver.write(
    keys.map((key) => ({ key, parts: [Buffer.alloc(LENGTH, 1)] })),
    never,
  );
  return keys;
}
