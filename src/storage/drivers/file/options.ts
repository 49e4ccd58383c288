import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { cacheFolder } from '../../../shared/cache-folder.ts';
import { failure } from '../../../shared/errors.ts';
import { byteSize, bytesOf } from '../../config.ts';
import { makeFolder } from './folders.ts';

export const FileOptions = Type.Object(
  {
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The folder.',
        absent:
          '$SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR, else pages in $TIERKV_CACHE_DIR, else tierkv/pages in the user’s cache folder',
      }),
    ),
    max_size: Type.Optional(
      byteSize({
        description: 'Bytes of the served model’s pages, with those being written.',
        absent: '20 GB or a tenth of the disk, whichever is smaller',
      }),
    ),
    min_free_space: Type.Optional(
      byteSize({
        description: 'Bytes that stay free on the disk.',
        absent: '1 GiB or a hundredth of the disk, whichever is smaller',
      }),
    ),
    eviction_ratio: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.05,
      description: 'The share of max_size that is freed when room is needed.',
    }),
    enable_metadata_cache: Type.Boolean({
      default: true,
      description: 'Whether a page that was seen a moment ago is there without a look at its file.',
    }),
    metadata_ttl: Type.Number({
      minimum: 0,
      default: 60,
      description: 'How long that moment is, in seconds.',
    }),
    direct_io: Type.Boolean({
      default: false,
      description: 'Whether pages go past the memory that the system keeps of files.',
    }),
  },
  { additionalProperties: false },
);
export type FileOptions = Static<typeof FileOptions>;

export interface FileLimits {
  maxBytes: number;
  minFreeBytes: number;
  /** Freed at least, when room is needed. */
  evictionBytes: number;
  /** How long `has` believes what was seen. */
  metadataMs: number;
  /** Whether the folder is on a disk, or in the memory, of this machine. */
  isLocal: boolean;
}

/** ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, as Linux numbers them (linux/magic.h). */
const LOCAL_FILE_SYSTEMS = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994]);

/** Where pages are kept when the options do not say: SGLang's variable, else beside the models. */
export function defaultFolder(): string {
  return process.env.SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR || path.join(cacheFolder(), 'pages');
}

/** The folder of some options, absolute. Throws `storage_config` for a quota of nothing. */
export function folderOf(options: FileOptions): string {
  if (options.max_size !== undefined && bytesOf(options.max_size) === 0)
    throw failure('storage_config', { backend: 'file', path: 'max_size', expected: 'must be more than 0' });
  return path.resolve(options.path ?? defaultFolder());
}

/** Makes the folder and fills in what depends on its disk. Throws the system's error. */
export async function prepareFolder(folder: string, options: FileOptions): Promise<FileLimits> {
  await makeFolder(folder);
  const { blocks, bsize, type } = await statfs(folder);
  const disk = blocks * bsize;
  const size = (given: number | string | undefined, otherwise: number) =>
    given === undefined ? Math.floor(otherwise) : bytesOf(given);
  const maxBytes = size(options.max_size, Math.min(20e9, disk / 10));
  return {
    maxBytes,
    minFreeBytes: size(options.min_free_space, Math.min(2 ** 30, disk / 100)),
    evictionBytes: Math.floor(options.eviction_ratio * maxBytes),
    metadataMs: options.enable_metadata_cache ? 1000 * options.metadata_ttl : 0,
    isLocal: LOCAL_FILE_SYSTEMS.has(type),
  };
}
