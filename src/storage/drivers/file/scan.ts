import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Limiter } from '../../concurrency.ts';
import { isAbsent } from './file-errors.ts';
import { isShard, keyOfFile } from './paths.ts';
import { isTemporary } from './temporary-files.ts';
import { isOwn, isStale } from './writer-names.ts';

/** Shards at a time: a portion of a scan, between which it can be ended. */
const TOGETHER = 8;

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
    const temporary = isTemporary(file) && !isOwn(file);
    if (key === undefined && !temporary) return;
    const stats: Stats | undefined = await lstat(place).catch(failed);
    if (!stats) return;
    if (key !== undefined) found.pages.set(key, { bytes: stats.size, modified: stats.mtimeMs });
    else if (!isStale(file, stats.mtimeMs, now)) found.temporaryBytes += stats.size;
    else await unlink(place).catch(() => (found.temporaryBytes += stats.size));
  }

  async function lookAtShard(namespace: string, shard: string): Promise<void> {
    const files = await limit(() => entries(path.join(root, namespace, shard)));
    const looks = files
      .filter((file) => file.isFile())
      .map(({ name }) => limit(() => look(namespace, shard, name)));
    await Promise.all(looks);
  }

  for (const namespace of namespaces) {
    const folders = (await entries(path.join(root, namespace))).filter((entry) => entry.isDirectory());
    const shards = folders.map(({ name }) => name).filter(isShard);
    for (let i = 0; i < shards.length; i += TOGETHER) {
      signal.throwIfAborted();
      await Promise.all(shards.slice(i, i + TOGETHER).map((shard) => lookAtShard(namespace, shard)));
    }
  }
  return found;

  async function entries(folder: string): Promise<Dirent[]> {
    return (await readdir(folder, { withFileTypes: true }).catch(failed)) ?? [];
  }
}
