import { expect, test } from 'vitest';
import { bytes, never, outcome, read, remove, write } from '../support/calls.ts';
import type { Stores } from './stores.ts';

/** Which keys there are, and that no two are taken for each other. */
export function checkKeys({ open }: Stores): void {
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
}
