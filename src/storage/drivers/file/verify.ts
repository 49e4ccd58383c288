import { lstat, rmdir, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { failure } from '../../../shared/errors.ts';
import { limiter } from '../../concurrency.ts';
import { checksumHolds, decodeHeader, HEADER_BYTES, type Rejection } from '../../layers/page-header.ts';
import { CLAIMS_FOLDER, isClaim } from './claims.ts';
import { isAbsent, messageOf } from './file-errors.ts';
import { readPage } from './page-file.ts';
import { isShard, namespaceOf } from './paths.ts';
import { isTemporary } from './temporary-files.ts';
import { keyOf, walk } from './walk.ts';
import { isStale } from './writer-names.ts';

export interface VerifyReport {
  folder: string;
  /** Pages that were found, and the bytes of those that are good. */
  pages: number;
  goodBytes: number;
  /** Damaged pages that were removed, and how many for which reason. */
  removed: number;
  reasons: Partial<Record<Rejection, number>>;
  /** Unfinished pages and claims that were left by writers that are dead; those of writers that are alive stay. */
  temporaryFilesRemoved: number;
  temporaryFilesInUse: number;
  /** Files that are no pages. They are never touched. */
  foreignFiles: number;
  emptyFoldersRemoved: number;
  /** What could not be read or removed: all else is in order. */
  failed: { path: string; reason: string }[];
  steps: { name: string; count: number; milliseconds: number }[];
}

interface PageFile {
  file: string;
  key: string;
}

/** Files at a time; each is in memory while it is checked. */
const PARALLEL = 4;
const LARGEST_PAGE = 2 ** 30 + HEADER_BYTES;
const FINGERPRINT = /^[0-9a-f]{64}$/;

/**
 * Checks every page in a folder of the file backend, with the server running or not, and removes what is damaged:
 * a server would take it for a miss. Throws `storage_failed` when the folder cannot be read at all.
 *
 * @param onProgress the share of the pages that was checked, 0 to 1
 */
export async function verifyPages(
  folder: string,
  onProgress: (fraction: number) => void = () => {},
): Promise<VerifyReport> {
  const report: VerifyReport = {
    folder,
    pages: 0,
    goodBytes: 0,
    removed: 0,
    reasons: {},
    temporaryFilesRemoved: 0,
    temporaryFilesInUse: 0,
    foreignFiles: 0,
    emptyFoldersRemoved: 0,
    failed: [],
    steps: [],
  };
  const pages: PageFile[] = [];
  const temporary: string[] = [];
  const folders: string[][] = [];
  const damaged: PageFile[] = [];
  const fail = (place: string, error: unknown) => {
    // What is gone meanwhile was evicted by a server, or was another one's temporary file.
    if (!isAbsent(error)) report.failed.push({ path: place, reason: messageOf(error) });
  };
  const limit = limiter(PARALLEL);

  async function step(name: string, work: () => Promise<number>): Promise<void> {
    const start = performance.now();
    const count = await work();
    report.steps.push({ name, count, milliseconds: performance.now() - start });
  }

  async function findFiles(): Promise<number> {
    await stat(folder).catch((error) => {
      throw failure('storage_failed', { backend: 'file', reason: messageOf(error) }, { cause: error });
    });
    let count = 0;
    for await (const { folder: names, files } of walk(folder, fail)) {
      folders.push(names);
      count += files.length;
      for (const entry of files) {
        const file = path.join(folder, ...names, entry.name);
        const key = keyOf(names, entry);
        if (key !== undefined) pages.push({ file, key });
        else if (entry.isFile() && isWriters(names, entry.name)) temporary.push(file);
        else report.foreignFiles++;
      }
    }
    return count;
  }

  async function checkPages(): Promise<number> {
    report.pages = pages.length;
    let done = 0;
    const check = async (page: PageFile) => {
      const outcome = await inspect(page).catch((error) => fail(page.file, error));
      if (typeof outcome === 'number') report.goodBytes += outcome;
      else if (outcome !== undefined) {
        damaged.push(page);
        report.reasons[outcome] = (report.reasons[outcome] ?? 0) + 1;
      }
      onProgress(++done / pages.length);
    };
    await Promise.all(pages.map((page) => limit(() => check(page))));
    return pages.length;
  }

  async function removeDamaged(): Promise<number> {
    for (const { file } of damaged) if (await remove(file)) report.removed++;
    return report.removed;
  }

  async function removeTemporary(): Promise<number> {
    for (const file of temporary) {
      const stats = await lstat(file).catch((error) => fail(file, error));
      if (!stats) continue;
      if (!isStale(path.basename(file), stats.mtimeMs, Date.now())) report.temporaryFilesInUse++;
      else if (await remove(file)) report.temporaryFilesRemoved++;
    }
    return report.temporaryFilesRemoved;
  }

  /** Of shards and claims, and of what is empty without them; those of others stay, also when they are empty. */
  async function removeEmptyFolders(): Promise<number> {
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
    return report.emptyFoldersRemoved;
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

  await step('find files', findFiles);
  await step('check pages', checkPages);
  await step('remove damaged pages', removeDamaged);
  await step('remove temporary files', removeTemporary);
  await step('remove empty folders', removeEmptyFolders);
  return report;
}

/** Whether a file is there only as long as a writer works. */
function isWriters(folder: readonly string[], file: string): boolean {
  return folder.at(-1) === CLAIMS_FOLDER ? isClaim(file) : isTemporary(file);
}

/** The length of a good page, or why it is none. Throws the system's error. */
async function inspect({ file, key }: PageFile): Promise<number | Rejection | undefined> {
  const header = Buffer.alloc(HEADER_BYTES);
  const beginning = await readPage(file, { into: [header] }, undefined);
  if (beginning === 'absent') return undefined;
  if (beginning !== 'too long' && beginning < HEADER_BYTES) return 'length';
  const fields = decodeHeader(header);
  if (typeof fields === 'string') return fields;
  if (fields.key !== key) return 'key';
  // A namespace that is named by a fingerprint holds the pages of that model.
  const namespace = namespaceOf(key);
  if (FINGERPRINT.test(namespace) && fields.fingerprint !== namespace) return 'fingerprint';
  const { size } = await stat(file);
  if (size !== HEADER_BYTES + fields.payloadBytes || size > LARGEST_PAGE) return 'length';
  const payload = Buffer.allocUnsafe(fields.payloadBytes);
  const bytes = await readPage(file, { into: [header, payload] }, size);
  if (bytes === 'absent') return undefined;
  if (bytes !== size) return 'length';
  return checksumHolds(header, [payload]) ? size : 'checksum';
}
