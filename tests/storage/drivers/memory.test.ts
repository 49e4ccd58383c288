import { expect, test } from 'vitest';
import { validConfig } from '../../../src/storage/config.ts';
import { MemoryOptions, memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { conformance } from '../conformance/conformance.ts';
import { bytes, has, listAll, never, outcome, read, remove, write } from '../support/calls.ts';

conformance('memory with values that expire', () => createDriver('memory', { max_size: '100MB', ttl: 3600 }));

async function open(options: object, now?: () => number) {
  const driver = memoryDriver(validConfig('memory', MemoryOptions, options), now);
  await driver.open(never);
  return driver;
}

test('the least recently used go when there is no room, and only as many as needed', async () => {
  const driver = await open({ max_size: 1000 });
  for (const key of ['a', 'b', 'c', 'd']) await write(driver, key, bytes(250));
  await read(driver, 'a');
  // A look is no use.
  await has(driver, 'b');
  await write(driver, 'e', bytes(300));
  expect((await listAll(driver)).sort()).toEqual(['a', 'd', 'e']);
  expect(driver.usage?.()).toEqual({ usedBytes: 800, quotaBytes: 1000, stuckValues: 0 });
  await write(driver, 'a', bytes(100));
  await remove(driver, 'd');
  expect(driver.usage?.()?.usedBytes).toBe(400);
});

test('a value larger than the quota fails alone, and removes nothing', async () => {
  const driver = await open({ max_size: 1000 });
  await write(driver, 'a', bytes(900));
  expect(outcome(await write(driver, 'b', bytes(1001)))).toBe('size');
  expect((await has(driver, 'a')).status).toBe('hit');
  expect(outcome(await write(driver, 'b', bytes(1000)))).toBe('stored');
  expect((await has(driver, 'a')).status).toBe('miss');
});

test('a value that was neither written nor read for its time is gone', async () => {
  let now = 0;
  const driver = await open({ ttl: 10 }, () => now);
  expect(driver.capabilities.ttl).toBe(10);
  await write(driver, 'a', bytes(10));
  await write(driver, 'b', bytes(10));
  now = 9_000;
  await read(driver, 'a');
  await has(driver, 'b');
  now = 10_000;
  expect((await has(driver, 'a')).status).toBe('hit');
  expect((await has(driver, 'b')).status).toBe('miss');
  expect(await listAll(driver)).toEqual(['a']);
  now = 19_000;
  expect((await read(driver, 'a')).result.status).toBe('miss');
  expect(driver.usage?.()?.usedBytes).toBe(0);
});
