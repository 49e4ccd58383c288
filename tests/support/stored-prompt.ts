import { expect } from 'vitest';
import type { TestBackend } from './backends.ts';
import { words } from './cache-server.ts';
import { expectSameAnswer, type GreedyAnswer, greedyTokens, startServer, type TestServer } from './server.ts';
import { attachBody, call, detach, flush, STORAGE, storageStatus, WITH_ADMIN_KEY } from './storage-api.ts';

const FLAGS = ['--page-size', '16', '--context-length', '1024', ...WITH_ADMIN_KEY];
const ANSWER = 16;

/** A prompt of many pages; another one for another seed. */
export function storedPrompt(seed: number): string {
  return words(80, seed);
}

/** A server on whose backends every page is worth fetching. The caller ends it. */
export function startStoringServer(...flags: string[]): Promise<TestServer> {
  return startServer([...FLAGS, ...flags]);
}

/** Attaches a backend while the server runs, waiting for every page that it holds. */
export async function attachBackend(
  server: TestServer,
  { backend, config }: TestBackend,
  fields: object = {},
): Promise<void> {
  const body = attachBody(
    { prefetch_threshold: 16, ...config },
    {
      hicache_storage_backend: backend,
      hicache_storage_prefetch_policy: 'wait_complete',
      ...fields,
    },
  );
  const { status, text } = await call(server, 'PUT', STORAGE, body);
  expect(status, text).toBe(200);
}

export function ask(server: TestServer, prompt: string): Promise<GreedyAnswer> {
  return greedyTokens(server, prompt, ANSWER);
}

/**
 * What a backend is for: a prompt is computed, both other tiers forget it, and it comes back from the storage, with
 * the same answer. Ends detached.
 */
export async function expectStored(server: TestServer, backend: TestBackend, seed: number): Promise<void> {
  const prompt = storedPrompt(seed);
  await attachBackend(server, backend);
  const computed = await ask(server, prompt);
  expect(computed.cached.storage).toBe(0);
  await flush(server);
  const stored = await ask(server, prompt);
  // All but what is less than a page.
  expect(stored.cached.storage).toBeGreaterThanOrEqual(computed.promptTokens - 16);
  expect(stored.cached.storage_backend).toBe(backend.backend);
  expectSameAnswer(stored, computed, backend.backend);
  const { ranks } = await storageStatus(server);
  expect(ranks.map(({ errors }) => errors)).toEqual(ranks.map(() => 0));
  const { status, text } = await detach(server);
  expect(status, text).toBe(200);
}
