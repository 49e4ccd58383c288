import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { limiter } from '../../concurrency.ts';
import type { Listing } from '../../driver.ts';
import { isAbsent, isDenied } from './file-errors.ts';
import { keyOf, walk } from './walk.ts';

const PORTION = 1000;
/** Files at a time that are asked for their length. */
const PARALLEL = 8;

/**
 * The keys of the folders after the cursor, which is the path of the last folder that was listed. A folder is listed
 * at once, so what changes meanwhile moves no other key. Folders in it that are others' alone are passed over. Throws the
 * system's error, or the signal's reason.
 */
export async function listPages(
  root: string,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<Listing> {
  const limit = limiter(PARALLEL);
  const found: { key: string; bytes: number }[] = [];
  const split = (next: string | undefined): Listing => ({
    keys: found.map(({ key }) => key),
    bytes: found.map(({ bytes }) => bytes),
    next,
  });
  const unreadable = (place: string, error: unknown) => {
    const isOfOthers = isDenied(error) && place !== path.join(root);
    if (!isAbsent(error) && !isOfOthers) throw error;
  };
  for await (const { folder, files } of walk(root, unreadable, cursor?.split('/'))) {
    signal.throwIfAborted();
    const look = (name: string) => limit(() => lengthOf(path.join(root, ...folder, name)));
    const pages = files.map(async (file) => {
      const key = keyOf(folder, file);
      const bytes = key === undefined ? undefined : await look(file.name);
      return key === undefined || bytes === undefined ? [] : [{ key, bytes }];
    });
    found.push(...(await Promise.all(pages)).flat());
    if (found.length >= PORTION) return split(folder.join('/'));
  }
  return split(undefined);
}

/** Undefined where it was removed meanwhile, or cannot be reached. */
async function lengthOf(file: string): Promise<number | undefined> {
  try {
    return (await lstat(file)).size;
  } catch (error) {
    if (!isAbsent(error) && !isDenied(error)) throw error;
    return undefined;
  }
}
