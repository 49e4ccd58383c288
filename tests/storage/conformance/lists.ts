import { expect, test } from 'vitest';
import { bytes, listAll, never, pageKey } from '../support/calls.ts';
import type { Stores } from './stores.ts';

/** Every key, and no other. */
export function checkLists({ open }: Stores): void {
  test('a list gives every key, over as many portions as it takes', async () => {
    const driver = await open();
    if (!driver.capabilities.list) return expect(driver.list).toBeUndefined();
    expect(await listAll(driver)).toEqual([]);
    const keys = [...Array.from({ length: 250 }, (_, i) => pageKey(i)), 'a', 'a/b', 'ab/cd/ef', 'b.c', 'zz'];
    for (let i = 0; i < keys.length; i += 100)
      await driver.write(
        keys.slice(i, i + 100).map((key) => ({ key, parts: [bytes(3)] })),
        never,
      );
    expect([...new Set(await listAll(driver))].sort()).toEqual([...keys].sort());
  });

  test('a list under changes still gives every other key', async () => {
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
    expect(new Set(seen)).toEqual(stable);
  });
}
