import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Limiter } from '../../concurrency.ts';
import { isAbsent } from './file-errors.ts';
import { isShard, keyOfFile } from './paths.ts';
import { isOwnTemporary, isStale, isTemporary } from './temporary-files.ts';

export interface Scan {
  pages: Map<string, { bytes: number; modified: number }>;
  /** Of what other processes are writing. */
  temporaryBytes: number;
  /** Whether every folder and file could be looked at. */
  complete: boolean;
}

/**
 * Looks at every page of some namespaces, folder by folder, and removes temporary files of dead writers. Files that
 * are none of ours are not counted. Throws only the signal's reason.
 */
export async function scan(
  root: string,
  namespaces: Iterable<string>,
  limit: Limiter,
  signal: AbortSignal,
  now: number,
): Promise<Scan> {
  const found: Scan = { pages: new Map(), temporaryBytes: 0, complete: true };
  const failed = (error: unknown) => {
    if (!isAbsent(error)) found.complete = false;
    return undefined;
  };

  async function look(namespace: string, shard: string, file: string): Promise<void> {
    const place = path.join(root, namespace, shard, file);
    const key = keyOfFile(namespace, shard, file);
    const temporary = isTemporary(file) && !isOwnTemporary(file);
    if (key === undefined && !temporary) return;
    const stats: Stats | undefined = await lstat(place).catch(failed);
    if (!stats) return;
    if (key !== undefined) found.pages.set(key, { bytes: stats.size, modified: stats.mtimeMs });
    else if (!isStale(file, stats.mtimeMs, now)) found.temporaryBytes += stats.size;
    else await unlink(place).catch(() => (found.temporaryBytes += stats.size));
  }

  for (const namespace of namespaces) {
    for (const shard of await entries(path.join(root, namespace))) {
      signal.throwIfAborted();
      if (!shard.isDirectory() || !isShard(shard.name)) continue;
      const files = (await entries(path.join(root, namespace, shard.name))).filter((file) => file.isFile());
      await Promise.all(files.map((file) => limit(() => look(namespace, shard.name, file.name))));
    }
  }
  return found;

  async function entries(folder: string): Promise<Dirent[]> {
    return (await readdir(folder, { withFileTypes: true }).catch(failed)) ?? [];
  }
}
