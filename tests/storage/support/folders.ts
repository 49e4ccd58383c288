import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { CLAIMS_FOLDER } from '../../../src/storage/drivers/file/claims.ts';

const made: string[] = [];
afterAll(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A new folder, removed when the test file ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tierkv-storage-'));
  made.push(folder);
  return folder;
}

/** Every file in a folder, as paths from it, in order; without the claims of those who write to it. */
export async function filesIn(folder: string): Promise<string[]> {
  return (await allFilesIn(folder)).filter((file) => !isIn(CLAIMS_FOLDER, file));
}

/** The claims in a folder. */
export async function claimsIn(folder: string): Promise<string[]> {
  return (await allFilesIn(folder)).filter((file) => isIn(CLAIMS_FOLDER, file));
}

function isIn(name: string, file: string): boolean {
  return path.basename(path.dirname(file)) === name;
}

async function allFilesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** The length of every file in a folder together. */
export async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const file of await filesIn(folder)) {
    // One that is renamed or removed meanwhile counts nothing.
    sum += await stat(path.join(folder, file)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return sum;
}
