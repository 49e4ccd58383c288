import { expect, test } from 'vitest';
import { systemClock } from '../../src/shared/clock.ts';
import type { StorageDriver, StorageErrorKind } from '../../src/storage/driver.ts';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import { tryStore } from '../../src/storage/try-store.ts';

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
