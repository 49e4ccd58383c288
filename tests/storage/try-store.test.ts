import { expect, test } from 'vitest';
import { systemClock } from '../../src/shared/clock.ts';
import type { StorageDriver, StorageErrorKind } from '../../src/storage/driver.ts';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import { mirrorDriver } from '../../src/storage/drivers/pairs/mirror.ts';
import { tieredDriver } from '../../src/storage/drivers/pairs/tiered.ts';
import { passThrough } from '../../src/storage/layers/pass-through.ts';
import { failed } from '../../src/storage/results.ts';
import { tryStore } from '../../src/storage/try-store.ts';
import { listAll } from './support/calls.ts';

import { LAYERS } from './support/layers.ts';

/** A store that takes smaller values than it says until it is open, as plugins do. */
function knowsLater(): StorageDriver {
  const store = memoryDriver();
  let largestValue = 2 ** 30;
  return {
    ...passThrough(store),
    capabilities: Object.freeze({
      ...store.capabilities,
      get largestValue() {
        return largestValue;
      },
    }),
    async open(signal) {
      await store.open(signal);
      largestValue = 10_000;
    },
  };
}

/** What is found of a store whose writes fail in a way. */
async function tried(kind: StorageErrorKind): Promise<string[]> {
  const store: StorageDriver = {
    ...memoryDriver(),
    write: async (writes) => writes.map(() => ({ status: 'error', error: { kind, message: 'as it is' } })),
  };
  const checks = await tryStore({ store, pages: store }, 1000, systemClock, new AbortController().signal);
  await store.close();
  return checks.map(({ name, ok, detail }) => `${name} ${ok ? 'ok' : detail}`);
}

test('a store that is full is attached for what it holds', async () => {
  expect(await tried('full')).toEqual(['connect ok', 'limits ok', 'version ok', 'write ok']);
});

test('a store that takes nothing for another reason is refused', async () => {
  expect(await tried('denied')).toEqual(['connect ok', 'limits ok', 'version ok', 'write denied: as it is']);
});

test.each([
  ...Object.entries(LAYERS),
  ['a mirror', (store: StorageDriver) => mirrorDriver(memoryDriver(), store)] as const,
  ['a tiered store', (store: StorageDriver) => tieredDriver(memoryDriver(), store)] as const,
])('what a store takes is asked for once it is open, around it: %s', async (_, around) => {
  const store = around(knowsLater());
  const checks = await tryStore({ store, pages: store }, 10_001, systemClock, new AbortController().signal);
  expect(checks.map(({ name, ok }) => `${name} ${ok}`)).toEqual(['connect true', 'limits false']);
  expect(checks.at(-1)?.detail).toMatch(/^a page has 10001 bytes, and only \d{4,5} can be stored$/);
  await store.close();
});

test.each<[string, (end: AbortController) => Partial<StorageDriver>]>([
  [
    'a write that fails though it came',
    () => ({ write: async (writes) => writes.map(() => failed('timeout', 'too late')) }),
  ],
  [
    'a write that is aborted though it came',
    (end) => ({
      write: async (writes) => {
        end.abort();
        return writes.map(() => failed('aborted', 'The call was aborted.'));
      },
    }),
  ],
  [
    'an abort after it',
    (end) => ({
      read: async (reads) => {
        end.abort();
        return reads.map(() => failed('aborted', 'The call was aborted.'));
      },
    }),
  ],
  ['a removal that fails once', () => ({})],
])('nothing stays in a store after %s', async (how, makeTrouble) => {
  const memory = memoryDriver();
  const end = new AbortController();
  const trouble = makeTrouble(end);
  let failures = how.startsWith('a removal') ? 1 : 0;
  const store: StorageDriver = {
    ...passThrough(memory),
    ...trouble,
    write: async (writes, signal) => {
      const results = await memory.write(writes, signal);
      return trouble.write ? trouble.write(writes, signal) : results;
    },
    remove: async (keys, signal) => {
      if (failures-- > 0) return keys.map(() => failed('io', 'once'));
      // As drivers do whose calls go over a network.
      if (signal.aborted) return keys.map(() => failed('aborted', 'The call was aborted.'));
      return memory.remove(keys, signal);
    },
  };
  const checks = await tryStore({ store, pages: store }, 1000, systemClock, end.signal);
  expect(checks.at(-1)?.ok).toBe(false);
  expect(await listAll(memory)).toEqual([]);
  await store.close();
});
