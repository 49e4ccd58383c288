import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { bytes, never, outcome, pageKey, read, write } from '../support/calls.ts';
import { aborting, count, open, start } from '../support/open-s3.ts';

describe('connections:', () => {
  test('there are at most as many requests as the option says, and the connections stay', async () => {
    const fake = await start({ delayMs: 1 });
    const driver = await open(fake, { max_connections: 3 });
    const keys = Array.from({ length: 60 }, (_, i) => pageKey(i));
    for (let round = 0; round < 2; round++) {
      await driver.write(
        keys.map((key) => ({ key, parts: [bytes(3_000_000 / 60)] })),
        never,
      );
      await driver.has(keys, never);
    }
    expect(fake.most).toBe(3);
    expect(await fake.connections()).toBe(3);
  });

  test('a large value is sent at once and as it is, on a connection that is used again', async () => {
    const fake = await start();
    const driver = await open(fake, { max_connections: 1 });
    for (const key of ['a', 'b', 'c']) await write(driver, key, bytes(3_000_000));
    expect(await fake.connections()).toBe(1);
    const { headers, body } = fake.last('PUT object');
    expect(body.equals(bytes(3_000_000))).toBe(true);
    expect(headers['x-amz-content-sha256']).toBe(createHash('sha256').update(body).digest('hex'));
    expect(headers).toMatchObject({ 'content-length': '3000000' });
    for (const name of ['expect', 'content-encoding', 'transfer-encoding', 'x-amz-sdk-checksum-algorithm'])
      expect(headers).not.toHaveProperty(name);
  });

  test('reads do not wait for writes that hang', async () => {
    const fake = await start();
    const driver = await open(fake, { max_connections: 1 });
    await write(driver, 'a', bytes(10));
    fake.fault = (kind) => (kind === 'PUT object' ? { kind: 'hang' } : undefined);
    const { signal, abort } = aborting();
    const writing = driver.write([{ key: 'b', parts: [bytes(10)] }], signal);
    await vi.waitFor(() => expect(count(fake, 'PUT object')).toBe(2));
    expect((await read(driver, 'a')).value).toEqual(bytes(10));
    abort();
    expect((await writing).map(outcome)).toEqual(['aborted']);
  });

  test('a signal ends what waits for an answer, with its connection', async () => {
    const fake = await start();
    const driver = await open(fake);
    fake.fault = () => ({ kind: 'hang' });
    const { signal, abort } = aborting();
    const before = fake.requests.length;
    const calls = [
      driver.read([{ key: 'a', into: [Buffer.alloc(10)] }], signal),
      driver.has(['a'], signal),
      driver.write([{ key: 'b', parts: [bytes(10)] }], signal),
      driver.remove(['a', 'b'], signal),
    ];
    const listing = driver.list!(undefined, signal).catch((thrown: Error) => thrown.message);
    await vi.waitFor(() => expect(fake.requests.length - before).toBe(6));
    abort();
    expect((await Promise.all(calls)).flat().map(outcome)).toEqual(Array(5).fill('aborted'));
    expect(await listing).toContain('aborted');
    await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
  });

  test.each([0, 1, 50_000])('a signal ends a value that stopped after %i bytes', async (length) => {
    const fake = await start();
    const driver = await open(fake);
    await write(driver, 'a', bytes(100_000));
    fake.fault = () => ({ kind: 'stall', bytes: length });
    const { signal, abort } = aborting();
    const into = Buffer.alloc(100_000);
    const reading = driver.read([{ key: 'a', into: [into] }], signal);
    const arrived = bytes(100_000).subarray(0, length);
    await vi.waitFor(() => {
      expect(fake.requests.at(-1)).toBe('GET object');
      expect(into.subarray(0, length).equals(arrived)).toBe(true);
    });
    abort();
    expect((await reading).map(outcome)).toEqual(['aborted']);
    await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
  });

  test('whenever a signal comes, nothing is left of a call', async () => {
    const fake = await start();
    const driver = await open(fake);
    const value = bytes(300_000);
    await write(driver, 'a', value);
    for (let turns = 0; turns < 60; turns++) {
      const controller = new AbortController();
      const into = Buffer.alloc(value.length);
      const calls = Promise.all([
        driver.read([{ key: 'a', into: [into] }], controller.signal),
        driver.write([{ key: pageKey(turns), parts: [value] }], controller.signal),
        driver.has(['a'], controller.signal),
        driver.remove(['b', 'c'], controller.signal),
      ]);
      for (let i = 0; i < turns; i++) await setImmediate();
      controller.abort();
      const results = (await calls).flat();
      const copy = Buffer.from(into);
      const expected = ['hit', 'stored', 'miss', 'aborted'];
      expect(results.map(outcome).filter((word) => !expected.includes(word))).toEqual([]);
      for (let i = 0; i < 5; i++) await setImmediate();
      expect(into.equals(copy)).toBe(true);
    }
    for (const [key, stored] of fake.objects) expect(stored.equals(value), key).toBe(true);
  });

  test('close ends what runs, and every connection', async () => {
    const fake = await start();
    const driver = await open(fake);
    fake.fault = () => ({ kind: 'hang' });
    const before = fake.requests.length;
    const calls = [driver.has(['a', 'b'], never), driver.remove(['a', 'b'], never)];
    const listing = driver.list!(undefined, never).catch((thrown: Error) => thrown.message);
    await vi.waitFor(() => expect(fake.requests.length - before).toBe(5));
    await driver.close();
    expect((await Promise.all(calls)).flat().map(outcome)).toEqual(['closed', 'closed', 'closed', 'closed']);
    expect(await listing).toContain('closed');
    await vi.waitFor(async () => expect(await fake.connections()).toBe(0));
  });

  test('connections that the store has just ended, unseen, cost no call', async () => {
    const fake = await start({ delayMs: 1 });
    const driver = await open(fake);
    const keys = Array.from({ length: 20 }, (_, i) => pageKey(i));
    await driver.write(
      keys.map((key) => ({ key, parts: [bytes(1000)] })),
      never,
    );
    expect(await fake.connections()).toBe(20);
    fake.endConnections();
    // At once: nothing has been heard of it here.
    expect(new Set((await driver.has(keys, never)).map(outcome))).toEqual(new Set(['hit']));
    fake.endConnections();
    expect((await driver.remove(keys, never)).map(outcome)).toEqual(keys.map(() => 'removed'));
    fake.endConnections();
    expect(await write(driver, 'a', bytes(3_000_000))).toEqual({ status: 'stored' });
  });

  test('a connection that is lost again and again is a failure', async () => {
    const fake = await start();
    const driver = await open(fake);
    fake.fault = () => ({ kind: 'reset' });
    fake.requests.length = 0;
    expect(outcome((await read(driver, 'a')).result)).toBe('unreachable');
    expect(count(fake, 'GET object')).toBe(2);
  });

  test('a store that was away for a while is used again by itself', async () => {
    const fake = await start();
    const driver = await open(fake);
    const keys = Array.from({ length: 20 }, (_, i) => pageKey(i));
    const writes = keys.map((key) => ({ key, parts: [bytes(1000)] }));
    await driver.write(writes, never);
    await fake.stop();
    expect(new Set((await driver.has(keys, never)).map(outcome))).toEqual(new Set(['unreachable']));
    const again = await start({ port: fake.port });
    expect(new Set((await driver.has(keys, never)).map(outcome))).toEqual(new Set(['miss']));
    expect(new Set((await driver.write(writes, never)).map(outcome))).toEqual(new Set(['stored']));
    expect(again.objects.size).toBe(20);
  });
});
