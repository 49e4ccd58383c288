import { expect, test } from 'vitest';
import { bytes, never, outcome, pageKey, read, settled, write } from '../support/calls.ts';
import type { Stores } from './stores.ts';

/** Calls that nobody waits for any more. */
export function checkSignals({ open }: Stores): void {
  test('a signal that has aborted before a call fails its keys', async () => {
    const driver = await open();
    await write(driver, 'a', bytes(10));
    const gone = AbortSignal.abort();
    expect((await driver.has(['a', 'b'], gone)).map(outcome)).toEqual(['aborted', 'aborted']);
    expect((await driver.read([{ key: 'a', into: [Buffer.alloc(10)] }], gone)).map(outcome)).toEqual([
      'aborted',
    ]);
    expect((await driver.write([{ key: 'b', parts: [bytes(10)] }], gone)).map(outcome)).toEqual(['aborted']);
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
}
