import { lstat, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../../../shared/errors.ts';
import { CLAIMS_FOLDER, isClaim } from './claims.ts';
import { isAbsent, messageOf } from './file-errors.ts';
import { isShard } from './paths.ts';
import { isTemporary } from './temporary-files.ts';
import { keyOf, walk } from './walk.ts';
import { isStale } from './writer-names.ts';

/** What is in a folder besides pages. */
export interface FolderReport {
  folder: string;
  /** Unfinished pages and claims that were left by writers that are dead; those of writers that are alive stay. */
  temporaryFilesDead: number;
  temporaryFilesRemoved: number;
  temporaryFilesInUse: number;
  /** Files that are no pages. They are never touched. */
  foreignFiles: number;
  emptyFoldersRemoved: number;
  /** What could not be read or removed: all else is in order. */
  failed: { path: string; reason: string }[];
}

/** Throws `storage_failed` where there is no such folder; to open the backend would make it. */
export async function requireFolder(folder: string): Promise<void> {
  await stat(folder).catch((error) => {
    throw failure('storage_failed', { backend: 'file', reason: messageOf(error) }, { cause: error });
  });
}

/**
 * Removes from a folder of the file backend what writers left that are dead, and folders that are empty, with the
 * server running or not. Pages are not looked at. Never rejects.
 *
 * @param keep only counts
 */
export async function tidyFolder(folder: string, keep: boolean, signal: AbortSignal): Promise<FolderReport> {
  const report: FolderReport = {
    folder,
    temporaryFilesDead: 0,
    temporaryFilesRemoved: 0,
    temporaryFilesInUse: 0,
    foreignFiles: 0,
    emptyFoldersRemoved: 0,
    failed: [],
  };
  const folders: string[][] = [];
  const fail = (place: string, error: unknown) => {
    // What is gone meanwhile was evicted by a server, or was another one's temporary file.
    if (!isAbsent(error)) report.failed.push({ path: place, reason: messageOf(error) });
  };

  async function lookAtTemporary(file: string): Promise<void> {
    const stats = await lstat(file).catch((error) => fail(file, error));
    if (!stats) return;
    if (!isStale(path.basename(file), stats.mtimeMs, Date.now())) {
      report.temporaryFilesInUse++;
      return;
    }
    report.temporaryFilesDead++;
    if (!keep && (await remove(file))) report.temporaryFilesRemoved++;
  }

  async function remove(file: string): Promise<boolean> {
    return unlink(file).then(
      () => true,
      (error) => {
        fail(file, error);
        return false;
      },
    );
  }

  /** Of shards and claims, and of what is empty without them; those of others stay, also when they are empty. */
  async function removeEmptyFolders(): Promise<void> {
    const emptied = new Set<string>();
    for (const names of folders.toReversed()) {
      const place = path.join(folder, ...names);
      const name = names.at(-1);
      if (name === undefined || !(isShard(name) || name === CLAIMS_FOLDER || emptied.has(place))) continue;
      // Fails where something is in it, also what a server has written since.
      const isGone = await rmdir(place).then(
        () => true,
        () => false,
      );
      if (!isGone) continue;
      emptied.add(path.dirname(place));
      report.emptyFoldersRemoved++;
    }
  }

  for await (const { folder: names, files } of walk(folder, fail)) {
    if (signal.aborted) return report;
    folders.push(names);
    for (const entry of files) {
      if (keyOf(names, entry) !== undefined) continue;
      if (entry.isFile() && isWriters(names, entry.name))
        await lookAtTemporary(path.join(folder, ...names, entry.name));
      else report.foreignFiles++;
    }
  }
  if (!keep) await removeEmptyFolders();
  return report;
}

/** Whether a file is there only as long as a writer works. */
function isWriters(folder: readonly string[], file: string): boolean {
  return folder.at(-1) === CLAIMS_FOLDER ? isClaim(file) : isTemporary(file);
}
