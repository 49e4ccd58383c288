import { expect, test } from 'vitest';
import { bytes, has, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import type { Stores } from './stores.ts';

/** What goes in comes out, and buffers stay the caller’s. */
export function checkValues({ open }: Stores): void {
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
    expect((await driver.write([{ key: 'a', parts: split(value) }], never)).map(outcome)).toEqual(['stored']);
    expect((await driver.read([{ key: 'a', into: split(into) }], never)).map(outcome)).toEqual(['hit']);
    expect(into.equals(value)).toBe(true);
  });

  test('where a driver says that buffers are filled, they hold the value by then', async () => {
    const driver = await open();
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
    expect((await driver.read(reads, never)).map(outcome)).toEqual(['hit', 'miss', 'size']);
    for (const each of seen) expect(each.equals(value)).toBe(true);
    expect(seen.length).toBeLessThanOrEqual(1);
    expect(into.subarray(0, 2000).equals(value)).toBe(true);
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
}
