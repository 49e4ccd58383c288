import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isKey } from '../../keys.ts';
import { CLAIMS_FOLDER } from './claims.ts';
import { isShard, keyOfFile } from './paths.ts';

interface Folder {
  /** Its path from the root, name by name. */
  folder: string[];
  /** What is in it, besides folders. */
  files: Dirent[];
}

/**
 * All folders that may be ours, in a fixed order, each before those in it. Links are not followed.
 *
 * @param unreadable is told of a folder that cannot be listed, which then counts as empty, unless this throws
 * @param after the folder to begin after, as an earlier walk gave it
 */
export async function* walk(
  root: string,
  unreadable: (folder: string, error: unknown) => void,
  after?: readonly string[],
  folder: string[] = [],
): AsyncGenerator<Folder> {
  const place = path.join(root, ...folder);
  let entries: Dirent[] = [];
  try {
    entries = await readdir(place, { withFileTypes: true });
  } catch (error) {
    unreadable(place, error);
  }
  if (!after) yield { folder, files: entries.filter((entry) => !entry.isDirectory()) };
  const inside = entries.filter(mayBeOurs).map(({ name }) => name);
  const [first, ...rest] = after ?? [];
  for (const name of inside.sort()) {
    if (first !== undefined && name < first) continue;
    yield* walk(root, unreadable, name === first ? rest : undefined, [...folder, name]);
  }
}

/** Not `lost+found`, nor whatever else lies beside pages under a name that no key has. */
function mayBeOurs(entry: Dirent): boolean {
  return entry.isDirectory() && (isKey(entry.name) || entry.name === CLAIMS_FOLDER);
}

/** The key of what is in a folder of {@link walk}; undefined for what is no page. */
export function keyOf(folder: readonly string[], file: Dirent): string | undefined {
  const shard = folder.at(-1) ?? '';
  if (!file.isFile() || !isShard(shard)) return undefined;
  return keyOfFile(folder.slice(0, -1).join('/'), shard, file.name);
}
