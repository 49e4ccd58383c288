import type { TSchema } from 'typebox';
import { failure } from '../shared/errors.ts';
import { validConfig } from './config.ts';
import type { StorageDriver } from './driver.ts';
import { FileDriver } from './drivers/file/file-driver.ts';
import { FileOptions } from './drivers/file/options.ts';
import { MemoryOptions, memoryDriver } from './drivers/memory.ts';

/** Every backend: to add one is to add its line here, and its files in `drivers`. */
const BACKENDS: Record<string, Backend> = {
  file: backend(FileOptions, (options) => new FileDriver(options)),
  memory: backend(MemoryOptions, memoryDriver),
};

/** Backends of SGLang's that have no client one can get, and what reaches the same medium. */
const WITHOUT_CLIENT: Record<string, string> = {
  eic: "its client is not public. To share pages between servers, use 'file' on a mounted file system",
  aibrix: "it has no client for Node.js. To share pages between servers, use 'file' on a mounted file system",
  nixl: "it has no client for Node.js. For what its file plug-ins reach, use 'file' on the mounted file system",
  simm: "its client is not public. To share pages between servers, use 'file' on a mounted file system",
  mori: "it has no client for Node.js. To share pages between servers, use 'file' on a mounted file system",
};

interface Backend {
  /** Throws `storage_config`. */
  create(name: string, config: unknown): StorageDriver;
}

function backend<S extends TSchema>(
  schema: S,
  create: (options: ReturnType<typeof validConfig<S>>) => StorageDriver,
): Backend {
  return { create: (name, config) => create(validConfig(name, schema, config)) };
}

/**
 * A driver that is not open yet. Throws `storage_unknown_backend` or `storage_config`, neither with a value of the
 * configuration in it.
 *
 * @param config the backend's own options, as they came from the user
 */
export function createDriver(name: string, config: unknown): StorageDriver {
  const found = Object.hasOwn(BACKENDS, name) ? BACKENDS[name] : undefined;
  if (found) return found.create(name, config);
  const known = Object.keys(BACKENDS).join(', ');
  const reason = Object.hasOwn(WITHOUT_CLIENT, name)
    ? `Storage backend '${name}' is not available: ${WITHOUT_CLIENT[name]}.`
    : `There is no storage backend '${name}'; known are: ${known}.`;
  throw failure('storage_unknown_backend', { reason });
}
