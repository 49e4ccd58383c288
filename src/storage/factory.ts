import type { TSchema } from 'typebox';
import { failure } from '../shared/errors.ts';
import { validConfig } from './config.ts';
import type { StorageDriver } from './driver.ts';
import { dynamicDriver } from './drivers/dynamic/dynamic-driver.ts';
import { DynamicOptions } from './drivers/dynamic/options.ts';
import { FileDriver } from './drivers/file/file-driver.ts';
import { FileOptions } from './drivers/file/options.ts';
import { hf3fsDriver } from './drivers/hf3fs/create.ts';
import { Hf3fsOptions } from './drivers/hf3fs/options.ts';
import { LmdbDriver } from './drivers/lmdb/lmdb-driver.ts';
import { LmdbOptions } from './drivers/lmdb/options.ts';
import { MemoryOptions, memoryDriver } from './drivers/memory.ts';
import { MooncakeDriver } from './drivers/mooncake/mooncake-driver.ts';
import { MooncakeOptions, refuseSettingsOfService } from './drivers/mooncake/options.ts';
import { createChild } from './drivers/pairs/child.ts';
import { mirrorDriver } from './drivers/pairs/mirror.ts';
import { type ChildConfig, MirrorOptions, TieredOptions } from './drivers/pairs/options.ts';
import { tieredDriver } from './drivers/pairs/tiered.ts';
import { RedisOptions } from './drivers/redis/options.ts';
import { RedisDriver } from './drivers/redis/redis-driver.ts';
import { S3Options } from './drivers/s3/options.ts';
import { s3Driver } from './drivers/s3/s3-driver.ts';

/** Every backend: to add one is to add its line here, and its files in `drivers`. */
const BACKENDS: Record<string, Backend> = {
  file: backend('files in a folder, within a quota', FileOptions, (options) => new FileDriver(options)),
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
  redis: backend(
    'Redis or Valkey: a server, a cluster, or sentinels',
    RedisOptions,
    (options) => new RedisDriver(options),
  ),
  s3: backend('objects in a bucket of AWS S3 or of another store with its API', S3Options, s3Driver),
  mooncake: backend(
    "Mooncake Store's shared memory, through its REST service",
    MooncakeOptions,
    (options) => new MooncakeDriver(options),
    refuseSettingsOfService,
  ),
  hf3fs: backend('a mounted 3FS, with its metadata service where there is one', Hf3fsOptions, hf3fsDriver),
  tiered: backend('a fast backend before a slow one', TieredOptions, ({ fast, slow }, surroundings) => {
    const create = nested('tiered', surroundings);
    return tieredDriver(create('fast', fast), create('slow', slow));
  }),
  mirror: backend('two backends that hold the same', MirrorOptions, ({ first, second }, surroundings) => {
    const create = nested('mirror', surroundings);
    return mirrorDriver(create('first', first), create('second', second));
  }),
  dynamic: backend(
    "a module of the operator's, from a folder that the server was given",
    DynamicOptions,
    dynamicDriver,
  ),
};

/** Backends of SGLang's that have no client one can get here: what they are, and what does the same. */
const WITHOUT_CLIENT: Record<string, string> = {
  eic: "the client of Volcano Engine's Elastic Instant Cache is not public. To share pages between servers, use 'redis'",
  aibrix:
    "AIBrix's stores, such as InfiniStore, have no client for Node.js. To share pages between servers, use 'redis'",
  nixl: "NIXL has no library for Node.js. For what its file plug-ins reach, use 'file' on the mounted file system; for objects, use 's3'",
  simm: "SiMM has no client for Node.js. For memory that servers share, use 'mooncake' or 'redis'",
  mori: "MORI's memory pool has no client for Node.js. For memory that servers share, use 'mooncake' or 'redis'",
};
const PLUGIN = "A client of your own can be plugged in with 'dynamic'.";

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
  /** Throws `storage_config` for what deserves more words than that it is not known. */
  refuse: (config: unknown) => void = () => undefined,
): Backend {
  return {
    summary,
    options,
    create(name, config, surroundings) {
      refuse(config);
      return create(validConfig(name, options, config), surroundings);
    },
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
    ? `Storage backend '${name}' is not available: ${WITHOUT_CLIENT[name]}. ${PLUGIN}`
    : `There is no storage backend '${name}'; known are: ${known}.`;
  throw failure('storage_unknown_backend', { reason });
}
