import { parseStorageConfig } from '../../cache/storage-config.ts';
import { systemClock } from '../../shared/clock.ts';
import { Failure } from '../../shared/errors.ts';
import { scrub, scrubAll } from '../../shared/secrets.ts';
import type { StorageDriver } from '../../storage/driver.ts';
import { createDriver } from '../../storage/factory.ts';
import { placeOfRank, resolveConfig } from '../../storage/resolve-config.ts';
import { STORAGE_DEADLINES_MS, storeLayers } from '../../storage/stack.ts';
import { readConfig } from '../config-file.ts';
import type { StoreFlags } from './options.ts';

/** A store that is not open yet. */
export interface NamedStore {
  backend: string;
  /** Its options, with what they refer to. They may hold secrets. */
  config: Readonly<Record<string, unknown>>;
  /** Texts that must be seen nowhere. */
  secrets: readonly string[];
  driver: StorageDriver;
}

/**
 * Names a store as a server would: references to the environment are resolved, `{rank}` is 0, settings of prefetching
 * are allowed and mean nothing.
 *
 * @param flag where the configuration comes from, for messages
 * @param given JSON, or `@file`
 * @param more options that go before those
 * @throws `bad_option`, `storage_config`, `storage_unknown_backend`
 */
export async function nameStore(
  backend: string,
  flag: string,
  given: string | undefined,
  { hicacheDynamicBackendDir: dynamicFolder }: StoreFlags,
  more: Readonly<Record<string, unknown>> = {},
): Promise<NamedStore> {
  const { backend: options } = parseStorageConfig(await readConfig(flag, given));
  const { config, secrets } = resolveConfig(backend, { ...options, ...more }, placeOfRank(0));
  return { backend, config, secrets, driver: createDriver(backend, config, { dynamicFolder }) };
}

/**
 * Opens a store, lets the work use it, and closes it whatever comes of that. Every call has its deadline, as in a server.
 *
 * @throws `storage_failed`, and what the work throws, without secrets
 */
export function withOpenStore<T>(
  named: NamedStore,
  signal: AbortSignal,
  work: (store: StorageDriver) => Promise<T>,
): Promise<T> {
  const store = storeLayers({ clock: systemClock, milliseconds: STORAGE_DEADLINES_MS })(named.driver);
  return withoutSecrets(named, async () => {
    try {
      await store.open(signal);
      return await work(store);
    } finally {
      await store.close();
    }
  });
}

/** What the work answers or throws, without the secrets of a store's configuration. */
export async function withoutSecrets<T>({ secrets }: NamedStore, work: () => Promise<T>): Promise<T> {
  try {
    return scrubAll(await work(), secrets);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, scrub(error.message, secrets), { cause: error });
  }
}
