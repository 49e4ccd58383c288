import type { TSchema } from 'typebox';
import { failure } from '../shared/errors.ts';
import { validConfig } from './config.ts';
import type { StorageDriver } from './driver.ts';
import { FileDriver } from './drivers/file/file-driver.ts';
import { FileOptions } from './drivers/file/options.ts';
import { hf3fsDriver } from './drivers/hf3fs/create.ts';
import { Hf3fsOptions } from './drivers/hf3fs/options.ts';
import { LmdbDriver } from './drivers/lmdb/lmdb-driver.ts';
import { LmdbOptions } from './drivers/lmdb/options.ts';
import { MemoryOptions, memoryDriver } from './drivers/memory.ts';
import { createChild } from './drivers/pairs/child.ts';
import { mirrorDriver } from './drivers/pairs/mirror.ts';
import { type ChildConfig, MirrorOptions, TieredOptions } from './drivers/pairs/options.ts';
import { tieredDriver } from './drivers/pairs/tiered.ts';

/** Every backend: to add one is to add its line here, and its files in `drivers`. */
const BACKENDS: Record<string, Backend> = {
  file: backend('files in a folder, within a quota', FileOptions, (options) => new FileDriver(options)),
  hf3fs: backend('a mounted 3FS, with its metadata service where there is one', Hf3fsOptions, hf3fsDriver),
  lmdb: backend(
    'an embedded database on a disk, within a quota: for many small pages',
    LmdbOptions,
    (options) => new LmdbDriver(options),
  ),
  memory: backend(
    'values in the process, gone with it: a fast tier, tests and examples',
    MemoryOptions,
    (options) => memoryDriver(options),
  ),
  mirror: backend('two backends that hold the same', MirrorOptions, ({ first, second }, surroundings) => {
    const create = nested('mirror', surroundings);
    return mirrorDriver(create('first', first), create('second', second));
  }),
  tiered: backend('a fast backend before a slow one', TieredOptions, ({ fast, slow }, surroundings) => {
    const create = nested('tiered', surroundings);
    return tieredDriver(create('fast', fast), create('slow', slow));
  }),
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
  /** What it is, in a few words. */
  summary: string;
  /** Of its options, each with a description and a default. */
  options: TSchema;
  /** Throws `storage_config`. */
  create(name: string, config: unknown, surroundings: Surroundings): StorageDriver;
}

/** What a backend may need besides its options. */
export interface Surroundings {
  /** Where modules of the operator's may lie; undefined is nowhere. */
  dynamicFolder?: string | undefined;
  /** In how many others it lies. */
  depth?: number;
}

const DEEPEST = 4;

/** Makes the backends that another one consists of. */
function nested(backend: string, surroundings: Surroundings) {
  const depth = (surroundings.depth ?? 0) + 1;
  return (place: string, config: ChildConfig): StorageDriver => {
    if (depth > DEEPEST)
      throw failure('storage_config', {
        backend,
        path: place,
        expected: `lies in more than ${DEEPEST} others`,
      });
    return createChild(backend, place, config, (name, options) =>
      createDriver(name, options, { ...surroundings, depth }),
    );
  };
}

function backend<S extends TSchema>(
  summary: string,
  options: S,
  create: (options: ReturnType<typeof validConfig<S>>, surroundings: Surroundings) => StorageDriver,
): Backend {
  return {
    summary,
    options,
    create: (name, config, surroundings) => create(validConfig(name, options, config), surroundings),
  };
}

/** Every backend with what it is and the schema of its options, by name. */
export function listBackends(): { name: string; summary: string; options: TSchema }[] {
  return Object.entries(BACKENDS).map(([name, { summary, options }]) => ({ name, summary, options }));
}

/**
 * A driver that is not open yet. Throws `storage_unknown_backend` or `storage_config`, neither with a value of the
 * configuration in it.
 *
 * @param config the backend's own options, as they came from the user
 */
export function createDriver(name: string, config: unknown, surroundings: Surroundings = {}): StorageDriver {
  const found = Object.hasOwn(BACKENDS, name) ? BACKENDS[name] : undefined;
  if (found) return found.create(name, config, surroundings);
  const known = Object.keys(BACKENDS).join(', ');
  const reason = Object.hasOwn(WITHOUT_CLIENT, name)
    ? `Storage backend '${name}' is not available: ${WITHOUT_CLIENT[name]}.`
    : `There is no storage backend '${name}'; known are: ${known}.`;
  throw failure('storage_unknown_backend', { reason });
}
