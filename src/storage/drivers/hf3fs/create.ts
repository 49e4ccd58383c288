import { failure } from '../../../shared/errors.ts';
import { bytesOf, validConfig } from '../../config.ts';
import type { StorageDriver } from '../../driver.ts';
import { passThrough } from '../../layers/pass-through.ts';
import { BLOCK_BYTES } from '../file/direct-files.ts';
import { FileDriver } from '../file/file-driver.ts';
import { FileOptions } from '../file/options.ts';
import { PlacedHf3fsDriver } from './hf3fs-driver.ts';
import { MetadataService } from './metadata-service.ts';
import { mountFailure, requireFolder } from './mount.ts';
import type { Hf3fsOptions } from './options.ts';

/** Pages on a mounted 3FS. Throws `storage_config` for sizes that do not go together. */
export function hf3fsDriver(options: Hf3fsOptions): StorageDriver {
  const { file_path_prefix: prefix, metadata_server_url: url, numjobs: parallel } = options;
  if (url === undefined) return pageFiles(prefix, bytesOf(options.file_size));
  const placeBytes = bytesOf(options.bytes_per_page);
  const places = Math.floor(bytesOf(options.file_size) / placeBytes);
  if (placeBytes % BLOCK_BYTES !== 0 || placeBytes < 2 * BLOCK_BYTES)
    throw wrong('bytes_per_page', `must be a multiple of ${BLOCK_BYTES}, and at least twice that`);
  if (places < 1) throw wrong('file_size', 'must be at least bytes_per_page');
  const file = `${prefix}.${options.rank}.tierkv.bin`;
  const service = new MetadataService(url, String(options.rank), places);
  return new PlacedHf3fsDriver({ file, places, placeBytes, parallel }, service);
}

/** Without the service each page is a file, as with the file backend. */
function pageFiles(prefix: string, maxBytes: number): StorageDriver {
  if (maxBytes === 0) throw wrong('file_size', 'must be more than 0');
  const folder = `${prefix}.pages`;
  const options = { path: folder, max_size: maxBytes, direct_io: true };
  const files = new FileDriver(validConfig('file', FileOptions, options));
  return {
    ...passThrough(files),
    name: 'hf3fs',
    async open() {
      try {
        await requireFolder(folder);
        await files.open();
      } catch (error) {
        throw mountFailure(error);
      }
    },
  };
}

function wrong(path: string, expected: string) {
  return failure('storage_config', { backend: 'hf3fs', path, expected });
}
