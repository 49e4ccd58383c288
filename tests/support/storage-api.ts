import { expect } from 'vitest';
import type { TestServer } from './server.ts';

export const ADMIN_KEY = 'the-admin-key';
export const WITH_ADMIN_KEY = ['--admin-api-key', ADMIN_KEY];
export const STORAGE = '/hicache/storage-backend';

const AS_ADMIN = { authorization: `Bearer ${ADMIN_KEY}` };

export interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

/** What GET /hicache/storage-backend answers. */
export interface StorageStatus {
  hicache_storage_backend: string | null;
  hicache_storage_backend_extra_config: string | null;
  hicache_storage_prefetch_policy: string | null;
  hicache_write_policy: string | null;
  state: string;
  epoch: number | null;
  attached_at: number | null;
  prefetch: Record<string, number>;
  operation: { id: number; kind: string } | null;
  ranks: Record<string, unknown>[];
}

/** Asks with the admin key, unless other headers are given. The body may be JSON text, or what becomes one. */
export async function call(
  server: TestServer,
  method: string,
  route: string,
  body?: unknown,
  headers: Record<string, string> = AS_ADMIN,
): Promise<Answer> {
  const response = await fetch(server.url + route, {
    method,
    signal: AbortSignal.timeout(60_000),
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** The body of an attach request; the configuration goes as text, as SGLang's clients send it. */
export function attachBody(config: object | string, fields: object = {}): Record<string, unknown> {
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  return {
    hicache_storage_backend: 'file',
    hicache_storage_backend_extra_config_json: text,
    ...fields,
  };
}

export function attach(server: TestServer, config: object | string, fields: object = {}): Promise<Answer> {
  return call(server, 'PUT', STORAGE, attachBody(config, fields));
}

export function detach(server: TestServer, query = ''): Promise<Answer> {
  return call(server, 'DELETE', STORAGE + query);
}

export async function storageStatus(server: TestServer): Promise<StorageStatus> {
  const { status, text } = await call(server, 'GET', STORAGE);
  expect(status, text).toBe(200);
  return JSON.parse(text) as StorageStatus;
}

/** Of SGLang's four fields, as an array. */
export async function fourFields(server: TestServer): Promise<(string | null)[]> {
  const status = await storageStatus(server);
  return [
    status.hicache_storage_backend,
    status.hicache_storage_backend_extra_config,
    status.hicache_storage_prefetch_policy,
    status.hicache_write_policy,
  ];
}

/** The error of an answer that must be a refusal with this status. */
export function errorOf({ status, text }: Answer, expected: number): { message: string; code: string } {
  expect(status, text).toBe(expected);
  return (JSON.parse(text) as { error: { message: string; code: string } }).error;
}

/** Flushes L1 and L2, with the admin key. Waits until nothing is on its way to a store. */
export async function flush(server: TestServer): Promise<void> {
  const { status, text } = await call(server, 'POST', '/flush_cache?timeout=20');
  expect(status, text).toBe(200);
}

/** A request that runs until it is told to stop. */
export class LongRequest {
  readonly #stop = new AbortController();
  readonly #answer: Promise<unknown>;

  private constructor(server: TestServer, tokens: number) {
    this.#answer = server
      .post(
        '/v1/completions',
        { prompt: 'A long story', max_tokens: tokens, ignore_eos: true, stream: true },
        {
          headers: { 'content-type': 'application/json' },
          signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(60_000)]),
        },
      )
      .then((response) => response.text())
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) throw error;
      });
  }

  /** Resolves when it runs. */
  static async start(server: TestServer, tokens = 50_000): Promise<LongRequest> {
    const request = new LongRequest(server, tokens);
    const running = async () => (await server.info()).ranks.some(({ report }) => report?.running);
    await expect.poll(running, { interval: 5, timeout: 20_000 }).toBe(true);
    return request;
  }

  /** The events that came, when it ends by itself. */
  get answer(): Promise<unknown> {
    return this.#answer;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#answer;
  }
}

/** Waits until an operation is in progress. */
export async function operationOf(server: TestServer): Promise<{ id: number; kind: string }> {
  const operation = async () => (await storageStatus(server)).operation;
  await expect.poll(operation, { interval: 5, timeout: 10_000 }).not.toBeNull();
  return (await operation()) ?? expect.unreachable('it has ended already');
}
