import type { Listing } from '../../driver.ts';
import { isAbsent } from './file-errors.ts';
import { keyOf, walk } from './walk.ts';

const PORTION = 1000;

/**
 * The keys of the folders after the cursor, which is the path of the last folder that was listed. A folder is listed
 * at once, so what changes meanwhile moves no other key. Throws the system's error, or the signal's reason.
 */
export async function listPages(
  root: string,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<Listing> {
  const keys: string[] = [];
  for await (const { folder, files } of walk(root, throwUnlessAbsent, cursor?.split('/'))) {
    signal.throwIfAborted();
    keys.push(...files.flatMap((file) => keyOf(folder, file) ?? []));
    if (keys.length >= PORTION) return { keys, next: folder.join('/') };
  }
  return { keys, next: undefined };
}

function throwUnlessAbsent(_: string, error: unknown): void {
  if (!isAbsent(error)) throw error;
}
