import { expect, test } from 'vitest';
import { systemClock } from '../../src/shared/clock.ts';
import type { StorageDriver, StorageErrorKind } from '../../src/storage/driver.ts';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import { passThrough } from '../../src/storage/layers/pass-through.ts';
import { failed } from '../../src/storage/results.ts';
import { tryStore } from '../../src/storage/try-store.ts';
import { listAll } from './support/calls.ts';

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
