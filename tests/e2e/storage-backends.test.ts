import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMBEDDED } from '../support/backends.ts';
import type { TestServer } from '../support/server.ts';
import { attachBody, call, errorOf, STORAGE, storageStatus } from '../support/storage-api.ts';
import { expectStored, startStoringServer } from '../support/stored-prompt.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startStoringServer();
});
afterAll(() => server?.kill());

test.each(Object.entries(EMBEDDED))('%s: a prompt comes back from the storage', async (name, make) => {
  const backend = await make();
  try {
    await expectStored(server, backend, Object.keys(EMBEDDED).indexOf(name));
  } finally {
    await backend.stop();
  }
});

test('what SGLang knows and cannot be reached from here is refused, and nothing is changed', async () => {
  for (const name of ['eic', 'aibrix', 'nixl', 'simm', 'mori']) {
    const body = attachBody({}, { hicache_storage_backend: name });
    const { message } = errorOf(await call(server, 'PUT', STORAGE, body), 400);
    expect(message).toMatch(new RegExp(`'${name}' is not available: .*'\\w+'`));
  }
  expect((await storageStatus(server)).hicache_storage_backend).toBeNull();
});
