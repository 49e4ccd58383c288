import { afterEach, describe, expect, test } from 'vitest';
import type { StorageDriver } from '../../src/storage/driver.ts';
import {
  bytes,
  has,
  listAll,
  never,
  outcome,
  pageKey,
  read,
  remove,
  settled,
  write,
} from './support/calls.ts';

/**
 * The contract of src/storage/driver.ts as tests. Every driver passes them, and every layer around every driver.
 *
 * @param make a new driver on an empty store, not open yet
 */
export function conformance(name: string, make: () => StorageDriver | Promise<StorageDriver>): void {
  describe(`${name} keeps the contract:`, () => {
    let opened: StorageDriver[] = [];
    async function open(): Promise<StorageDriver> {
      const driver = await make();
      await driver.open(never);
      opened.push(driver);
      return driver;
    }
    afterEach(async () => {
      for (const driver of opened) await driver.close();
      opened = [];
    });

    test('what was written is found and read back', async () => {
      const driver = await open();
      const value = bytes(1000);
      expect(await write(driver, 'a', value)).toEqual({ status: 'stored' });
      expect(await has(driver, 'a')).toEqual({ status: 'hit' });
      const { result, value: got } = await read(driver, 'a');
      expect(result).toEqual({ status: 'hit', bytes: 1000 });
      expect(got).toEqual(value);
    });

    test('what was never written is a miss everywhere', async () => {
      const driver = await open();
      expect(await has(driver, 'a')).toEqual({ status: 'miss' });
      expect((await read(driver, 'a')).result).toEqual({ status: 'miss' });
      expect(await remove(driver, 'a')).toEqual({ status: 'miss' });
    });

    test('an empty batch has an empty answer', async () => {
      const driver = await open();
      expect(await driver.has([], never)).toEqual([]);
      expect(await driver.read([], never)).toEqual([]);
      expect(await driver.write([], never)).toEqual([]);
      expect(await driver.remove([], never)).toEqual([]);
    });

    test('a full batch is answered in the order of its keys, each for itself', async () => {
      const driver = await open();
      const count = Math.min(driver.capabilities.batch, 128);
      const keys = Array.from({ length: count }, (_, i) => pageKey(i));
      const writes = keys.map((key, i) => ({ key, parts: [bytes(10 + i, i)] })).filter((_, i) => i % 3 !== 0);
      expect((await driver.write(writes, never)).map(outcome)).toEqual(writes.map(() => 'stored'));
      const expected = keys.map((_, i) => (i % 3 === 0 ? 'miss' : 'hit'));
      expect((await driver.has(keys, never)).map(outcome)).toEqual(expected);
      const into = keys.map(() => [Buffer.alloc(200)]);
      const results = await driver.read(
        keys.map((key, i) => ({ key, into: into[i]! })),
        never,
      );
      expect(results.map(outcome)).toEqual(expected);
      results.forEach((result, i) => {
        if (result.status !== 'hit') return;
        expect(result.bytes).toBe(10 + i);
        expect(into[i]![0]!.subarray(0, result.bytes)).toEqual(bytes(10 + i, i));
      });
      expect((await driver.remove(keys, never)).map(outcome)).toEqual(
        expected.map((status) => (status === 'hit' ? 'removed' : 'miss')),
      );
    });

    test.each([0, 1, 255, 256, 257, 4095, 65_537, 3_000_001])(
      'a value of %i bytes comes back',
      async (length) => {
        const driver = await open();
        const value = bytes(length, length);
        await write(driver, 'value', value);
        const { result, value: got } = await read(driver, 'value', length);
        expect(result).toEqual({ status: 'hit', bytes: length });
        expect(got?.equals(value)).toBe(true);
      },
    );

    test('a value may come in parts and go into buffers that are split elsewhere', async () => {
      const driver = await open();
      const value = bytes(1000);
      const parts = [value.subarray(0, 1), value.subarray(1, 1), value.subarray(1, 700), value.subarray(700)];
      await driver.write([{ key: 'a', parts }], never);
      const into = [Buffer.alloc(300), Buffer.alloc(0), Buffer.alloc(699), Buffer.alloc(1)];
      expect(await driver.read([{ key: 'a', into }], never)).toEqual([{ status: 'hit', bytes: 1000 }]);
      expect(Buffer.concat(into).equals(value)).toBe(true);
    });

    test('a value of more parts than a system call takes comes back', async () => {
      const driver = await open();
      const value = bytes(3000);
      const split = (whole: Buffer) => Array.from({ length: 3000 }, (_, i) => whole.subarray(i, i + 1));
      const into = Buffer.alloc(3000);
      expect((await driver.write([{ key: 'a', parts: split(value) }], never)).map(outcome)).toEqual([
        'stored',
      ]);
      expect((await driver.read([{ key: 'a', into: split(into) }], never)).map(outcome)).toEqual(['hit']);
      expect(into.equals(value)).toBe(true);
    });

    test('a buffer larger than the value is good, and one that is too small is an error of kind size', async () => {
      const driver = await open();
      const value = bytes(1000);
      await write(driver, 'a', value);
      expect((await read(driver, 'a', 5000)).value).toEqual(value);
      const small = Buffer.alloc(999);
      expect((await driver.read([{ key: 'a', into: [small] }], never)).map(outcome)).toEqual(['size']);
      expect(small.equals(value.subarray(0, 999))).toBe(true);
      expect((await driver.read([{ key: 'a', into: [] }], never)).map(outcome)).toEqual(['size']);
      expect((await read(driver, 'a')).value).toEqual(value);
    });

    test('a write leaves the caller’s buffers as they were, and does not see what they become', async () => {
      const driver = await open();
      const value = bytes(500);
      const given = Buffer.from(value);
      await write(driver, 'a', given);
      expect(given.equals(value)).toBe(true);
      given.fill(0);
      expect((await read(driver, 'a')).value).toEqual(value);
    });

    test('a read leaves bytes around its buffers alone, and does not see what they become', async () => {
      const driver = await open();
      const value = bytes(500);
      await write(driver, 'a', value);
      const memory = Buffer.alloc(700, 7);
      await driver.read([{ key: 'a', into: [memory.subarray(100, 600)] }], never);
      expect(memory.subarray(0, 100).every((byte) => byte === 7)).toBe(true);
      expect(memory.subarray(600).every((byte) => byte === 7)).toBe(true);
      memory.fill(0);
      expect((await read(driver, 'a')).value).toEqual(value);
    });

    test('a second write of a key either replaces the value or leaves it, and says which', async () => {
      const driver = await open();
      const [first, second] = [bytes(500, 1), bytes(500, 2)];
      await write(driver, 'a', first);
      const answer = await write(driver, 'a', second);
      expect(['stored', 'exists']).toContain(answer.status);
      expect((await read(driver, 'a')).value).toEqual(answer.status === 'stored' ? second : first);
    });

    test('a key that is twice in a batch is answered twice', async () => {
      const driver = await open();
      const value = bytes(100);
      const twice = await driver.write(
        [
          { key: 'a', parts: [value] },
          { key: 'a', parts: [value] },
        ],
        never,
      );
      expect(twice.map(({ status }) => ['stored', 'exists'].includes(status))).toEqual([true, true]);
      const into = [Buffer.alloc(100), Buffer.alloc(100)];
      const reads = into.map((buffer) => ({ key: 'a', into: [buffer] }));
      expect((await driver.read(reads, never)).map(outcome)).toEqual(['hit', 'hit']);
      expect(into.every((buffer) => buffer.equals(value))).toBe(true);
    });

    test('what was removed is a miss, and can be written again', async () => {
      const driver = await open();
      await write(driver, 'a', bytes(10, 1));
      expect(await remove(driver, 'a')).toEqual({ status: 'removed' });
      expect(await has(driver, 'a')).toEqual({ status: 'miss' });
      expect((await read(driver, 'a')).result).toEqual({ status: 'miss' });
      expect(await remove(driver, 'a')).toEqual({ status: 'miss' });
      expect(await write(driver, 'a', bytes(10, 2))).toEqual({ status: 'stored' });
      expect((await read(driver, 'a')).value).toEqual(bytes(10, 2));
    });

    test('calls on the same keys at the same time never mix values', async () => {
      const driver = await open();
      const values = Array.from({ length: 6 }, (_, i) => Buffer.alloc(20_000 + 1000 * i, i + 1));
      const buffers: Buffer[] = [];
      const calls = values.flatMap((value, i) => {
        const buffer = Buffer.alloc(30_000);
        buffers.push(buffer);
        return [
          driver.write([{ key: 'a', parts: [value] }], never),
          driver.read([{ key: 'a', into: [buffer] }], never),
          ...(i % 2 === 1 ? [driver.remove(['a'], never)] : []),
        ];
      });
      const answers = (await Promise.all(calls)).flat();
      expect(
        answers.map(outcome).filter((word) => !['stored', 'exists', 'hit', 'miss', 'removed'].includes(word)),
      ).toEqual([]);
      const hits = answers.flatMap((answer) => ('bytes' in answer ? [answer.bytes] : []));
      const sizes = new Set(values.map(({ length }) => length));
      expect(hits.every((size) => sizes.has(size))).toBe(true);
      for (const buffer of buffers) {
        const end = buffer.indexOf(0);
        if (end > 0) expect(buffer.subarray(0, end).equals(Buffer.alloc(end, buffer[0]))).toBe(true);
      }
      await write(driver, 'a', bytes(50, 9));
      expect((await has(driver, 'a')).status).toBe('hit');
    });

    test('keys that differ only in one character, or in what stands before a slash, are different', async () => {
      const driver = await open();
      const keys = [
        'bar',
        'bar2',
        'foo_bar',
        'bar/x',
        'foo_bar/x',
        'x',
        'ba/r',
        'b/a/r',
        'a.b',
        'a-b',
        'a_b',
        '-',
        '_',
        '0',
      ];
      for (const [i, key] of keys.entries()) await write(driver, key, bytes(64, i));
      for (const [i, key] of keys.entries()) expect((await read(driver, key)).value).toEqual(bytes(64, i));
      await remove(driver, 'bar/x');
      expect((await driver.has(keys, never)).map(outcome)).toEqual(
        keys.map((key) => (key === 'bar/x' ? 'miss' : 'hit')),
      );
    });

    test('a key of 100 characters is good', async () => {
      const driver = await open();
      const key = `${'n'.repeat(35)}/${'k'.repeat(64)}`;
      expect(await write(driver, key, bytes(10))).toEqual({ status: 'stored' });
      expect((await read(driver, key)).value).toEqual(bytes(10));
    });

    test.each([
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      '.a',
      'A',
      'ä',
      'a b',
      'a\\b',
      'a\0',
      'a\n',
      'a:b',
      '%2e%2e',
      'a'.repeat(201),
    ])('%j is no key: only it fails, and nothing is stored', async (key) => {
      const driver = await open();
      const into = () => [Buffer.alloc(10)];
      expect(
        (
          await driver.write(
            [
              { key, parts: [bytes(5)] },
              { key: 'good', parts: [bytes(5)] },
            ],
            never,
          )
        ).map(outcome),
      ).toEqual(['io', 'stored']);
      expect((await driver.has([key, 'good'], never)).map(outcome)).toEqual(['io', 'hit']);
      expect(
        (
          await driver.read(
            [
              { key, into: into() },
              { key: 'good', into: into() },
            ],
            never,
          )
        ).map(outcome),
      ).toEqual(['io', 'hit']);
      expect((await driver.remove([key, 'good'], never)).map(outcome)).toEqual(['io', 'removed']);
    });

    test('a signal that has aborted before a call fails its keys', async () => {
      const driver = await open();
      await write(driver, 'a', bytes(10));
      const gone = AbortSignal.abort();
      expect((await driver.has(['a', 'b'], gone)).map(outcome)).toEqual(['aborted', 'aborted']);
      expect((await driver.read([{ key: 'a', into: [Buffer.alloc(10)] }], gone)).map(outcome)).toEqual([
        'aborted',
      ]);
      expect((await driver.write([{ key: 'b', parts: [bytes(10)] }], gone)).map(outcome)).toEqual([
        'aborted',
      ]);
      expect((await driver.remove(['a'], gone)).map(outcome)).toEqual(['aborted']);
      expect((await driver.has(['a', 'b'], never)).map(outcome)).toEqual(['hit', 'miss']);
    });

    test('a call whose signal aborts ends with an answer for every key, and then leaves the buffers alone', async () => {
      const driver = await open();
      const keys = Array.from({ length: 64 }, (_, i) => pageKey(i));
      await driver.write(
        keys.map((key) => ({ key, parts: [Buffer.alloc(20_000, 1)] })),
        never,
      );
      const buffers = keys.map(() => Buffer.alloc(20_000));
      const reading = new AbortController();
      const call = driver.read(
        keys.map((key, i) => ({ key, into: [buffers[i]!] })),
        reading.signal,
      );
      setImmediate(() => reading.abort());
      const results = await call;
      await settled(results);
      expect(results).toHaveLength(64);
      expect(results.map(outcome).filter((word) => word !== 'hit' && word !== 'aborted')).toEqual([]);
      for (const buffer of buffers) buffer.fill(9);

      const writing = new AbortController();
      const value = Buffer.alloc(20_000, 2);
      const others = keys.map((_, i) => pageKey(1000 + i));
      const second = driver.write(
        others.map((key) => ({ key, parts: [value] })),
        writing.signal,
      );
      setImmediate(() => writing.abort());
      const written = await second;
      await settled(written);
      value.fill(3);
      expect(written.map(outcome).filter((word) => word !== 'stored' && word !== 'aborted')).toEqual([]);
      for (const [i, key] of others.entries()) {
        const { result, value: got } = await read(driver, key, 20_000);
        if (written[i]!.status === 'stored') expect(result.status).toBe('hit');
        if (got) expect(got.equals(Buffer.alloc(20_000, 2))).toBe(true);
      }
      for (const buffer of buffers) expect(buffer.equals(Buffer.alloc(20_000, 9))).toBe(true);
    });

    test('a list gives every key once, over as many portions as it takes', async () => {
      const driver = await open();
      if (!driver.capabilities.list) return expect(driver.list).toBeUndefined();
      expect(await listAll(driver)).toEqual([]);
      const keys = [
        ...Array.from({ length: 250 }, (_, i) => pageKey(i)),
        'a',
        'a/b',
        'ab/cd/ef',
        'b.c',
        'zz',
      ];
      for (let i = 0; i < keys.length; i += 100)
        await driver.write(
          keys.slice(i, i + 100).map((key) => ({ key, parts: [bytes(3)] })),
          never,
        );
      expect((await listAll(driver)).sort()).toEqual([...keys].sort());
    });

    test('a list under changes still gives every other key once', async () => {
      const driver = await open();
      if (!driver.capabilities.list) return;
      const keys = Array.from({ length: 2400 }, (_, i) => pageKey(i));
      for (let i = 0; i < keys.length; i += 100)
        await driver.write(
          keys.slice(i, i + 100).map((key) => ({ key, parts: [] })),
          never,
        );
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
      expect(seen.length).toBe(stable.size);
      expect(new Set(seen)).toEqual(stable);
    });

    test('before it is open and after it is closed every key fails with kind closed', async () => {
      const driver = await make();
      const expectClosed = async () => {
        expect((await driver.has(['a', 'b'], never)).map(outcome)).toEqual(['closed', 'closed']);
        expect((await driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], never)).map(outcome)).toEqual([
          'closed',
        ]);
        expect((await driver.write([{ key: 'a', parts: [] }], never)).map(outcome)).toEqual(['closed']);
        expect((await driver.remove(['a'], never)).map(outcome)).toEqual(['closed']);
        if (driver.list)
          await expect(driver.list(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
      };
      await expectClosed();
      await driver.open(never);
      await write(driver, 'a', bytes(1));
      await driver.close();
      await expectClosed();
      await driver.close();
    });

    test('calls that run when it is closed end with an answer for every key', async () => {
      const driver = await open();
      const keys = Array.from({ length: 100 }, (_, i) => pageKey(i));
      const calls = [
        driver.write(
          keys.map((key) => ({ key, parts: [Buffer.alloc(50_000)] })),
          never,
        ),
        driver.has(keys, never),
        driver.read(
          keys.map((key) => ({ key, into: [Buffer.alloc(50_000)] })),
          never,
        ),
      ];
      await driver.close();
      for (const results of await Promise.all(calls)) {
        expect(results).toHaveLength(100);
        expect(
          results.map(outcome).filter((word) => !['stored', 'hit', 'miss', 'closed'].includes(word)),
        ).toEqual([]);
      }
    });

    test('its name and capabilities say what it can', async () => {
      const driver = await make();
      expect(driver.name).toMatch(/^[a-z0-9]+$/);
      expect(Object.isFrozen(driver.capabilities)).toBe(true);
      expect(driver.capabilities.batch).toBeGreaterThan(0);
      expect(driver.capabilities.largestValue).toBeGreaterThan(2 ** 20);
      expect(typeof driver.list === 'function').toBe(driver.capabilities.list);
    });

    test('its usage, where it tells one, is at least what was written', async () => {
      const driver = await open();
      if (!driver.usage) return;
      await write(driver, 'a', bytes(5000));
      expect(driver.usage()?.usedBytes).toBeGreaterThanOrEqual(5000);
    });
  });
}
