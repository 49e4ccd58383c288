import { describe, expect, it } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { clearStore } from '../../../src/storage/maintenance/clear-store.ts';
import { failed } from '../../../src/storage/results.ts';
import { never } from '../support/calls.ts';

const hex = (start: string) => start.padEnd(64, '0');
const PAGES = Array.from({ length: 250 }, (_, i) => hex(`${i}a`));
const OTHERS = ['canary/1', `${hex('b')}/${hex('1')}`, 'config', `${hex('2')}.tmp`];

async function storeOf(...keys: string[]): Promise<StorageDriver> {
  const driver = memoryDriver();
  await driver.open(never);
  await driver.write(
    keys.map((key) => ({ key, parts: [Buffer.from(key)] })),
    never,
  );
  return driver;
}

async function left(driver: StorageDriver): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const listing = await driver.list!(cursor, never);
    keys.push(...listing.keys);
    cursor = listing.next;
  } while (cursor !== undefined);
  return keys;
}

/** A driver that does not remove one of the keys. */
function withStuck(driver: StorageDriver, stuck: string): StorageDriver {
  const base = passThrough(driver);
  return {
    ...base,
    async remove(keys, signal) {
      const results = await base.remove(
        keys.filter((key) => key !== stuck),
        signal,
      );
      const at = keys.indexOf(stuck);
      return at < 0 ? results : results.toSpliced(at, 0, failed('denied', 'EPERM'));
    },
  };
}

describe('O4: clearing a store', () => {
  it('removes every page of the model, over all portions of the list, and nothing else', async () => {
    const driver = await storeOf(...PAGES, ...OTHERS);
    const cleared = await clearStore(driver, 'model', never);
    expect(cleared).toEqual({ removed: PAGES.length, failed: 0, problem: undefined });
    expect(await left(driver)).toEqual(OTHERS.toSorted());
  });

  it('of all models removes pages with a model before them, and nothing else', async () => {
    const driver = await storeOf(PAGES[0]!, ...OTHERS);
    expect(await clearStore(driver, 'all', never)).toMatchObject({ removed: 1, problem: undefined });
    expect((await left(driver)).toSorted()).toEqual(
      [PAGES[0]!, ...OTHERS.filter((key) => !key.startsWith('b'))].toSorted(),
    );
  });

  it('goes on after a page that cannot be removed, and says so', async () => {
    const driver = await storeOf(...PAGES);
    const cleared = await clearStore(withStuck(driver, PAGES[3]!), 'model', never);
    expect(cleared).toEqual({ removed: PAGES.length - 1, failed: 1, problem: 'denied: EPERM' });
    expect(await left(driver)).toEqual([PAGES[3]]);
  });

  it('says what was removed until the list failed, or the time was over', async () => {
    const driver = await storeOf(...PAGES);
    let lists = 0;
    const broken = await clearStore(
      {
        ...passThrough(driver),
        list: (cursor, signal) => {
          if (++lists > 1) throw new Error('gone');
          return driver.list!(cursor, signal);
        },
      },
      'model',
      never,
    );
    expect(broken).toMatchObject({ removed: 100, failed: 0, problem: expect.any(String) });
    const late = await clearStore(driver, 'model', AbortSignal.abort());
    expect(late.problem).toBe('it took too long');
    const { list: _, ...withoutList } = passThrough(driver);
    const unable = await clearStore({ ...withoutList, list: undefined }, 'model', never);
    expect(unable).toEqual({ removed: 0, failed: 0, problem: 'memory cannot list what it holds' });
  });
});
