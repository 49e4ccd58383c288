import { expect, test } from 'vitest';
import { bytes, never, outcome, pageKey, write } from '../support/calls.ts';
import type { Stores } from './stores.ts';

/** Before it is open, after it is closed, and what it says of itself. */
export function checkLife({ open, make }: Stores): void {
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
}
