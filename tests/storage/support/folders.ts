import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

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

/** Every file in a folder, as paths from it, in order. */
export async function filesIn(folder: string): Promise<string[]> {
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
