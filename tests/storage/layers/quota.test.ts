import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/shared/clock.ts';
import type { StorageDriver, StorageErrorKind } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { quotaLayer } from '../../../src/storage/layers/quota/quota-layer.ts';
import { clearStore } from '../../../src/storage/maintenance/clear-store.ts';
import { failed } from '../../../src/storage/results.ts';
import { STORAGE_DEADLINES_MS, storageStack } from '../../../src/storage/stack.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import { FINGERPRINT } from '../support/layers.ts';

const QUOTA = 10_000;
const key = (i: number) => `m/${i}`;

async function limited(store: StorageDriver = createDriver('memory', {}), quota = QUOTA) {
  const driver = quotaLayer({ bytes: quota, prefix: 'm/' })(store);
  await driver.open(never);
  return { driver, store };
}

async function usedBytes(store: StorageDriver, prefix = 'm/'): Promise<number> {
  let sum = 0;
  let cursor: string | undefined;
  do {
    const { keys, bytes: sizes = [], next } = await store.list!(cursor, never);
    for (const [i, each] of keys.entries()) if (each.startsWith(prefix)) sum += sizes[i]!;
    cursor = next;
  } while (cursor !== undefined);
  return sum;
}

test('what was not used for the longest time goes when room is needed', async () => {
  const { driver, store } = await limited();
  for (let i = 0; i < 10; i++) await write(driver, key(i), bytes(1000, i));
  await read(driver, key(0));
  await has(driver, key(1));
  await write(driver, key(10), bytes(1000));
  expect((await listAll(store)).sort()).toEqual([0, 1, 3, 4, 5, 6, 7, 8, 9, 10].map(key).sort());
  expect(driver.usage?.()).toEqual({ usedBytes: 10_000, quotaBytes: QUOTA, stuckValues: 0 });
});

test('what is there at start counts, and what is too much goes before anything is written', async () => {
  const store = createDriver('memory', {});
  await store.open(never);
  for (let i = 0; i < 300; i++) await write(store, key(i), bytes(100));
  const { driver } = await limited(store);
  expect(await write(driver, key(1000), bytes(100))).toEqual({ status: 'stored' });
  expect(await usedBytes(store)).toBeLessThanOrEqual(QUOTA);
  expect(driver.usage?.()?.usedBytes).toBe(await usedBytes(store));
  expect(await has(driver, key(1000))).toEqual({ status: 'hit' });
});

test('other keys are neither counted nor removed', async () => {
  const { driver, store } = await limited();
  await write(store, 'other', bytes(50_000));
  await write(driver, 'canary/x', bytes(50_000));
  for (let i = 0; i < 30; i++) await write(driver, key(i), bytes(1000));
  expect(await has(driver, 'other')).toEqual({ status: 'hit' });
  expect(await has(driver, 'canary/x')).toEqual({ status: 'hit' });
  expect(driver.usage?.()?.usedBytes).toBe(10_000);
});

test('what is cleared of all models is not counted any more', async () => {
  const stack = storageStack(createDriver('memory', {}), {
    clock: systemClock,
    namespace: FINGERPRINT,
    fingerprint: FINGERPRINT,
    milliseconds: STORAGE_DEADLINES_MS,
    observer: { started: () => undefined, ended: () => undefined },
    onRejected: () => undefined,
    layers: { quota: QUOTA },
  });
  await stack.store.open(never);
  for (let i = 0; i < 5; i++) await write(stack.pages, pageKey(i), bytes(1000));
  await write(stack.store, `${'f'.repeat(64)}/${pageKey(0)}`, bytes(1000));
  expect(await clearStore(stack.store, 'all', never)).toMatchObject({ removed: 6, failed: 0 });
  expect(stack.pages.usage?.()).toEqual({ usedBytes: 0, quotaBytes: QUOTA, stuckValues: 0 });
  await stack.store.close();
});

test('a value larger than the quota is refused by its size, and nothing goes for it', async () => {
  const { driver, store } = await limited();
  await write(driver, key(0), bytes(5000));
  expect(outcome(await write(driver, key(1), bytes(QUOTA + 1)))).toBe('size');
  expect(await listAll(store)).toEqual([key(0)]);
  expect(driver.capabilities.largestValue).toBe(QUOTA);
});

test('values that cannot be removed are counted and passed over', async () => {
  const stuck = new Set([key(0), key(1), key(5)]);
  const base = passThrough(createDriver('memory', {}));
  const { driver } = await limited({
    ...base,
    remove: async (keys, signal) => {
      const results = await base.remove(
        keys.filter((each) => !stuck.has(each)),
        signal,
      );
      return keys.map((each) => (stuck.has(each) ? failed('denied', 'no') : results.shift()!));
    },
  });
  for (let i = 0; i < 40; i++) expect(outcome(await write(driver, key(i), bytes(1000)))).toBe('stored');
  expect(driver.usage?.()).toEqual({ usedBytes: 10_000, quotaBytes: QUOTA, stuckValues: 3 });
  stuck.clear();
  for (let i = 40; i < 80; i++) await write(driver, key(i), bytes(1000));
  expect(driver.usage?.()).toMatchObject({ usedBytes: 10_000, stuckValues: 0 });
});

test('when nothing can be removed writes fail with full, until something can', async () => {
  let isStuck = true;
  const base = passThrough(createDriver('memory', {}));
  const { driver, store } = await limited({
    ...base,
    remove: (keys, signal) =>
      isStuck ? Promise.resolve(keys.map(() => failed('io', 'no'))) : base.remove(keys, signal),
  });
  const results = [];
  for (let i = 0; i < 15; i++) results.push(outcome(await write(driver, key(i), bytes(1000))));
  expect(results).toEqual([...Array(10).fill('stored'), ...Array(5).fill('full')]);
  expect((await read(driver, key(3))).value).toEqual(bytes(1000));
  expect(await usedBytes(store)).toBe(10_000);
  isStuck = false;
  expect(outcome(await write(driver, key(20), bytes(1000)))).toBe('stored');
});

test.each(['empty', 'not empty'])(
  'a store that lists no sizes is refused, %s, naming the option',
  async (how) => {
    const store = createDriver('memory', {});
    await store.open(never);
    if (how === 'not empty') await write(store, key(0), bytes(10));
    const nameless: StorageDriver = {
      ...passThrough(store),
      list: async (cursor, signal) => {
        const { keys, next } = await store.list!(cursor, signal);
        return { keys, next };
      },
    };
    await expect(limited(nameless)).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining("'quota' cannot be kept"),
    });
  },
);

test('a store that lists nothing is refused, naming the option', async () => {
  const { list: _, ...silent } = passThrough(createDriver('memory', {}));
  await expect(limited(silent)).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining("'quota' cannot be kept"),
  });
});

test('a store that cannot be counted takes no writes, is read from, and takes them once it can be', async () => {
  let calls = 0;
  const store = createDriver('memory', {});
  const { driver } = await limited({
    ...passThrough(store),
    list: async (cursor, signal) => {
      calls++;
      if (calls === 2 || calls === 3) throw new Error('the network is down');
      return store.list!(cursor, signal);
    },
  });
  const { error } = (await write(driver, key(0), bytes(10))) as { error?: { kind: string; message: string } };
  expect(error?.kind).toBe('io');
  expect(await has(driver, key(0))).toEqual({ status: 'miss' });
  expect(outcome(await write(driver, key(0), bytes(10)))).toBe('stored');
});

test('after a write of which nobody knows what became of it, the value counts', async () => {
  for (const [kind, counted] of [
    ['timeout', 1000],
    ['unreachable', 1000],
    ['aborted', 1000],
    ['full', 0],
    ['denied', 0],
  ] as const) {
    const { driver } = await limited({
      ...passThrough(createDriver('memory', {})),
      write: async (writes) => writes.map(() => failed(kind as StorageErrorKind, 'as planned')),
    });
    expect(outcome(await write(driver, key(0), bytes(1000)))).toBe(kind);
    expect(driver.usage?.()?.usedBytes, kind).toBe(counted);
    // It is looked for, and not there.
    await has(driver, key(0));
    expect(driver.usage?.()?.usedBytes).toBe(0);
  }
});

test('an answer that comes late says nothing of a value that was written meanwhile', async () => {
  const store = createDriver('memory', {});
  const base = passThrough(store);
  const { promise, resolve } = Promise.withResolvers<void>();
  const { driver } = await limited({
    ...base,
    has: async (keys, signal) => {
      const results = await base.has(keys, signal);
      await promise;
      return results;
    },
  });
  await write(driver, key(0), bytes(500));
  await remove(store, key(0));
  const looking = has(driver, key(0));
  await write(driver, key(0), bytes(1000));
  resolve();
  expect(await looking).toEqual({ status: 'miss' });
  expect(driver.usage?.()?.usedBytes).toBe(1000);
});

test('as long as a write that was given up may still happen, its room stays taken', async () => {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const { driver } = await limited({
    ...passThrough(createDriver('memory', {})),
    write: async (writes) => writes.map(() => ({ ...failed('timeout', 'late'), settled })),
  });
  await write(driver, key(0), bytes(1000));
  await has(driver, key(0));
  expect(driver.usage?.()?.usedBytes).toBe(1000);
  resolve();
  await settled;
  await has(driver, key(0));
  expect(driver.usage?.()?.usedBytes).toBe(0);
});

test('what others removed and wrote is noticed: when it is asked for, and when the store is counted again', async () => {
  const { driver, store } = await limited();
  for (let i = 0; i < 5; i++) await write(driver, key(i), bytes(1000));
  await remove(store, key(0));
  await read(driver, key(0));
  expect(driver.usage?.()?.usedBytes).toBe(4000);
  await write(store, 'm/theirs', bytes(500));
  await read(driver, 'm/theirs');
  expect(driver.usage?.()?.usedBytes).toBe(4500);
  await remove(store, key(1));
  await write(store, 'm/more', bytes(700));
  // A sixteenth of the quota was written by now.
  await write(driver, key(9), bytes(300));
  expect(driver.usage?.()?.usedBytes).toBe(await usedBytes(store));
});

test('a call that is aborted while it waits for room ends, and takes none', async () => {
  const base = passThrough(createDriver('memory', {}));
  const { promise: counted, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const { driver } = await limited({
    ...base,
    list: async (cursor, signal) => {
      if (++calls > 1) await counted;
      return base.list!(cursor, signal);
    },
  });
  const abort = new AbortController();
  const writing = driver.write([{ key: key(0), parts: [bytes(1000)] }], abort.signal);
  abort.abort();
  expect((await writing).map(outcome)).toEqual(['aborted']);
  resolve();
  expect(outcome(await write(driver, key(1), bytes(1000)))).toBe('stored');
  expect(driver.usage?.()?.usedBytes).toBe(1000);
});

test('it waits for nothing after it is closed', async () => {
  const base = passThrough(createDriver('memory', {}));
  let calls = 0;
  const { driver } = await limited({
    ...base,
    list: (cursor, signal) =>
      ++calls === 1
        ? base.list!(cursor, signal)
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  const writing = write(driver, key(0), bytes(10));
  await driver.close();
  expect(outcome(await writing)).toBe('closed');
  expect(outcome(await write(driver, key(0), bytes(10)))).toBe('closed');
});

type Action =
  | { do: 'write'; keys: number[]; size: number }
  | { do: 'read' | 'has' | 'remove' | 'theirs gone'; key: number }
  | { do: 'abort'; key: number; size: number };

const KEYS = 9;
const anyKey = fc.nat(KEYS - 1);
const anySize = fc.integer({ min: 0, max: 3000 });
const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      keys: fc.uniqueArray(anyKey, { minLength: 1, maxLength: 4 }),
      size: anySize,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('read' as const, 'has' as const, 'remove' as const, 'theirs gone' as const),
      key: anyKey,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('abort' as const), key: anyKey, size: anySize }) },
);

test('O5: the store is never above the quota, whatever is called at the same time and whatever fails', async () => {
  const faults = fc.array(fc.constantFrom('', '', '', 'before', 'after', 'slow', 'late'), { maxLength: 60 });
  const groups = fc.array(fc.array(ACTION, { minLength: 1, maxLength: 5 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(groups, faults, fc.nat(20), async (all, planned, atStart) => {
      const store = createDriver('memory', {});
      await store.open(never);
      for (let i = 0; i < atStart; i++) await write(store, key(i % KEYS), bytes(400));
      const faultsLeft = [...planned];
      const base = passThrough(store);
      let most = 0;
      const look = async () => {
        most = Math.max(most, await usedBytes(store));
      };
      const takeTime = async () => {
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      };
      /** Fails before it was done, or after; or takes its time, before it is done or to say so. */
      const trouble = async <R>(count: number, call: () => Promise<R[]>): Promise<R[]> => {
        const fault = faultsLeft.shift();
        const lost = () => Array.from({ length: count }, () => failed('unreachable', 'lost') as R);
        if (fault === 'before') return lost();
        if (fault === 'slow') await takeTime();
        const results = await call();
        await look();
        if (fault === 'late') await takeTime();
        return fault === 'after' ? lost() : results;
      };
      const { driver } = await limited({
        ...base,
        open: async () => undefined,
        has: (keys, signal) => trouble(keys.length, () => base.has(keys, signal)),
        read: (reads, signal) => trouble(reads.length, () => base.read(reads, signal)),
        write: (writes, signal) => trouble(writes.length, () => base.write(writes, signal)),
        remove: (keys, signal) => trouble(keys.length, () => base.remove(keys, signal)),
      });
      await write(driver, 'm/first', bytes(1));
      expect(await usedBytes(store)).toBeLessThanOrEqual(QUOTA);
      most = 0;
      const act = async (action: Action): Promise<unknown> => {
        switch (action.do) {
          case 'write':
            return driver.write(
              action.keys.map((each) => ({ key: key(each), parts: [bytes(action.size)] })),
              never,
            );
          case 'read':
            return read(driver, key(action.key));
          case 'has':
            return has(driver, key(action.key));
          case 'remove':
            return remove(driver, key(action.key));
          case 'theirs gone':
            return remove(store, key(action.key));
          case 'abort': {
            const abort = new AbortController();
            const writing = driver.write(
              [{ key: key(action.key), parts: [bytes(action.size)] }],
              abort.signal,
            );
            abort.abort();
            return writing;
          }
        }
      };
      for (const group of all) await Promise.all(group.map(act));
      expect(most).toBeLessThanOrEqual(QUOTA);
      expect(driver.usage?.()?.usedBytes).toBeGreaterThanOrEqual(await usedBytes(store));
      // Nothing is taken for good: all of it can be used again.
      faultsLeft.length = 0;
      expect(outcome(await write(driver, 'm/last', bytes(QUOTA)))).toBe('stored');
      expect(driver.usage?.()?.usedBytes).toBe(QUOTA);
      expect(await usedBytes(store)).toBe(QUOTA);
    }),
    { numRuns: 400 },
  );
});

test('O5: several writers of one store are above their quota by a sixteenth each at most, and a moment’s writes', async () => {
  const store = createDriver('memory', {});
  const drivers = await Promise.all(
    [1, 2, 3].map(
      async () => (await limited({ ...passThrough(store), close: async () => {} }, 100_000)).driver,
    ),
  );
  let most = 0;
  for (let i = 0; i < 1500; i++) {
    await write(drivers[(i * 7) % 3]!, key(i), bytes(500));
    most = Math.max(most, await usedBytes(store));
  }
  expect(most).toBeLessThanOrEqual(100_000 * (1 + 2 / 16) + 3 * 500);
  expect(most).toBeGreaterThan(90_000);
});
