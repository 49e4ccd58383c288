import { parseStorageConfig } from '../../cache/storage-config.ts';
import { systemClock } from '../../shared/clock.ts';
import { Failure } from '../../shared/errors.ts';
import { scrub, scrubAll } from '../../shared/secrets.ts';
import { type CreatedBackend, createBackend } from '../../storage/create-backend.ts';
import type { StorageDriver } from '../../storage/driver.ts';
import { passThrough } from '../../storage/layers/pass-through.ts';
import { placeOfRank } from '../../storage/resolve-config.ts';
import { failed } from '../../storage/results.ts';
import { STORAGE_DEADLINES_MS, type ValueStack, valueStack } from '../../storage/stack.ts';
import { readConfig } from '../config-file.ts';
import type { StoreFlags } from './options.ts';

/** A store that is not open yet. */
export interface NamedStore extends CreatedBackend {
  backend: string;
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
  const created = createBackend(backend, { ...options, ...more }, placeOfRank(0), { dynamicFolder });
  return { backend, ...created };
}

/**
 * Opens a store, lets the work use it, and closes it whatever comes of that. Every call has its deadline, as in a server.
 *
 * @throws `storage_failed`, and what the work throws, without secrets
 */
export function withOpenStore<T>(
  named: NamedStore,
  signal: AbortSignal,
  work: (stores: ValueStack) => Promise<T>,
): Promise<T> {
  const unknown = new Set<string>();
  const { store, values } = valueStack(named.driver, {
    clock: systemClock,
    milliseconds: STORAGE_DEADLINES_MS,
    layers: named.layers,
    onUnknownKey: (key) => unknown.add(key),
  });
  return withoutSecrets(named, async () => {
    try {
      await store.open(signal);
      return await work({ store, values: failingOn(unknown, values) });
    } finally {
      await store.close();
    }
  });
}

/** To a server, a page that somebody else encrypted is a miss. Here it is neither gone nor damaged: it cannot be read. */
function failingOn(unknown: Set<string>, driver: StorageDriver): StorageDriver {
  const base = passThrough(driver);
  return {
    ...base,
    async read(reads, signal) {
      const results = await base.read(reads, signal);
      return results.map((result, i) => (unknown.delete(reads[i]?.key ?? '') ? notKnown() : result));
    },
  };
}

const notKnown = () => failed('denied', 'It is encrypted with a key that is not among those given.');

/** What the work answers or throws, without the secrets of a store's configuration. */
export async function withoutSecrets<T>({ secrets }: NamedStore, work: () => Promise<T>): Promise<T> {
  try {
    return scrubAll(await work(), secrets);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.code, scrub(error.message, secrets), { cause: error });
  }
}
