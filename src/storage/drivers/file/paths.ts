import path from 'node:path';
import { isKey } from '../../keys.ts';

/**
 * Where a page is: `<root>/<namespace>/<shard>/<name>.page` for the key `namespace/name`. The shard is the beginning of
 * the name, so that no folder gets so many entries that the file system refuses more or searches them slowly.
 */

const SUFFIX = '.page';
const SHARD_LENGTH = 2;

/** What stands before the last `/` of a key, or nothing. */
export function namespaceOf(key: string): string {
  return key.slice(0, Math.max(key.lastIndexOf('/'), 0));
}

/** @param key a key of the contract: nothing else may become a path */
export function pagePath(root: string, key: string): string {
  const name = key.slice(key.lastIndexOf('/') + 1);
  return path.join(root, namespaceOf(key), shardOf(name), name + SUFFIX);
}

/** Whether a folder's name can be a shard's. */
export function isShard(folder: string): boolean {
  return folder.length === SHARD_LENGTH;
}

/** The key of a file, or undefined for a file that is none of ours there. */
export function keyOfFile(namespace: string, shard: string, file: string): string | undefined {
  if (!file.endsWith(SUFFIX)) return undefined;
  const name = file.slice(0, -SUFFIX.length);
  const key = namespace === '' ? name : `${namespace}/${name}`;
  return shard === shardOf(name) && isKey(key) ? key : undefined;
}

function shardOf(name: string): string {
  return name.slice(0, SHARD_LENGTH).replaceAll('.', '_').padEnd(SHARD_LENGTH, '_');
}
