import { expect } from 'vitest';
import { BACKEND_ENVIRONMENT, PLUGINS, type TestBackend } from './backends.ts';
import { words } from './cache-server.ts';
import { expectSameAnswer, type GreedyAnswer, greedyTokens, startServer, type TestServer } from './server.ts';
import { attachBody, call, detach, flush, STORAGE, storageStatus, WITH_ADMIN_KEY } from './storage-api.ts';

const PAGE = 16;
const ANSWER = 16;
const FLAGS = ['--page-size', String(PAGE), '--context-length', '1024', ...WITH_ADMIN_KEY];

/** A server that can attach any backend. The caller ends it. */
export function startStoringServer(...flags: string[]): Promise<TestServer> {
  return startServer([...FLAGS, '--hicache-dynamic-backend-dir', PLUGINS, ...flags], BACKEND_ENVIRONMENT);
}

/** Attaches a backend while the server runs; requests wait for every page that it holds. */
export async function attachBackend(server: TestServer, { backend, config }: TestBackend): Promise<void> {
  const body = attachBody(
    { prefetch_threshold: PAGE, ...config },
    { hicache_storage_backend: backend, hicache_storage_prefetch_policy: 'wait_complete' },
  );
  const { status, text } = await call(server, 'PUT', STORAGE, body);
  expect(status, text).toBe(200);
}

/** A greedy answer to a prompt of many pages; another one for another seed. */
export function askLong(server: TestServer, seed: number): Promise<GreedyAnswer> {
  return greedyTokens(server, words(80, seed), ANSWER);
}

/** That an answer equals another one, and that all its prompt, but for less than a page, came from this backend. */
export function expectFromStorage(answer: GreedyAnswer, computed: GreedyAnswer, backend: string): void {
  expect(answer.cached.storage).toBeGreaterThanOrEqual(computed.promptTokens - PAGE);
  expect(answer.cached.storage_backend).toBe(backend);
  expectSameAnswer(answer, computed, backend);
}

/**
 * What a backend is for: a prompt is computed, both other tiers forget it, and it comes back from the storage, with
 * the same answer. Ends detached.
 */
export async function expectStored(server: TestServer, backend: TestBackend, seed: number): Promise<void> {
  await attachBackend(server, backend);
  const computed = await askLong(server, seed);
  expect(computed.cached.storage).toBe(0);
  await flush(server);
  expectFromStorage(await askLong(server, seed), computed, backend.backend);
  const { ranks } = await storageStatus(server);
  expect(ranks.map(({ errors }) => errors)).toEqual(ranks.map(() => 0));
  const { status, text } = await detach(server);
  expect(status, text).toBe(200);
}
