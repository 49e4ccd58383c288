import path from 'node:path';
import { type Static, Type } from 'typebox';
import { cacheFolder } from '../../../shared/cache-folder.ts';
import { byteSize } from '../../config.ts';

export const LmdbOptions = Type.Object(
  {
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The folder of the data file, on a disk of this machine.',
        absent: 'lmdb in $TIERKV_CACHE_DIR, else tierkv/lmdb in the user’s cache folder',
      }),
    ),
    max_size: byteSize({
      default: '20GB',
      description: 'Bytes that the data file grows to; the least recently used values go first.',
    }),
  },
  { additionalProperties: false },
);
export type LmdbOptions = Static<typeof LmdbOptions>;

/** The folder of some options, absolute. */
export function folderOf(options: LmdbOptions): string {
  return path.resolve(options.path ?? path.join(cacheFolder(), 'lmdb'));
}
