import type { Static, TSchema } from 'typebox';
import { Failure } from '../../shared/errors.ts';
import { secretsOf } from '../../shared/secrets.ts';
import { readConfig } from '../config-file.ts';
import { checkKey } from '../keys.ts';
import { parseServerUrl, type ServerCall, ServerClient } from '../server-client.ts';
import type { BackendFlags, ServerFlags, TimeoutFlags } from './options.ts';
import { watched } from './progress.ts';

/** Where the server is controlled. */
export const ROUTE = '/hicache/storage-backend';

/** What the server takes when it is not told. */
const SERVER_TIMEOUT_S = 30;
/** The server says by itself that an operation took too long; so long it has to. */
const MORE_S = 5;

/** The server's part of the body that describes a backend; absent flags are left out. */
export interface BackendBody {
  hicache_storage_backend: string;
  hicache_storage_backend_extra_config_json?: string;
  hicache_storage_prefetch_policy?: string;
  hicache_write_policy?: string;
  timeout?: number;
}

/** @throws `bad_option` for a file that cannot be read */
export async function backendBody(backend: string, flags: BackendFlags): Promise<BackendBody> {
  const { prefetchPolicy, writePolicy, timeout } = flags;
  const config = await readConfig('--extra-config', flags.extraConfig);
  return {
    hicache_storage_backend: backend,
    ...(config === undefined ? {} : { hicache_storage_backend_extra_config_json: config }),
    ...(prefetchPolicy === undefined ? {} : { hicache_storage_prefetch_policy: prefetchPolicy }),
    ...(writePolicy === undefined ? {} : { hicache_write_policy: writePolicy }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

/**
 * Asks the server for something that takes its time, and shows meanwhile what it waits for. With --json a refusal is
 * printed too.
 */
export function operate<S extends TSchema>(
  flags: TimeoutFlags,
  title: string,
  call: Omit<ServerCall, 'seconds'>,
  schema: S,
  config?: string,
): Promise<Static<S>> {
  const client = clientOf(flags, config);
  const seconds = (flags.timeout ?? SERVER_TIMEOUT_S) + MORE_S;
  return watched(client, title, client.ask({ ...call, seconds }, schema)).catch((error: unknown) => {
    if (flags.json && error instanceof Failure && error.code === 'server_refused') printJson(error.details);
    throw error;
  });
}

/** @param config JSON whose secrets no answer may show */
export function clientOf({ url, adminApiKey }: ServerFlags, config?: string): ServerClient {
  checkKey('--admin-api-key (TIERKV_ADMIN_API_KEY)', adminApiKey);
  return new ServerClient(parseServerUrl(url), adminApiKey, config === undefined ? [] : secretsIn(config));
}

export function printJson(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function secretsIn(config: string): string[] {
  try {
    return secretsOf(JSON.parse(config));
  } catch {
    // No configuration; the server will say so.
    return [config];
  }
}
