import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';

const run = promisify(execFile);
const mounted: string[] = [];
afterAll(async () => {
  for (const folder of mounted.splice(0)) await run('umount', ['--lazy', folder]);
});

/** A folder of its own small memory file system, unmounted when the test file ends; undefined where this process may not mount. */
export async function smallDisk(size: string): Promise<string | undefined> {
  const folder = path.join(await temporaryFolder(), 'disk');
  await mkdir(folder);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
    mounted.push(folder);
    return folder;
  } catch {
    return undefined;
  }
}

/** Makes such a file system read-only, or writable again. */
export async function remount(folder: string, access: 'ro' | 'rw'): Promise<void> {
  await run('mount', ['-o', `remount,${access}`, folder]);
}

/** Another program fills the disk; gives the file that does. */
export async function fillDisk(folder: string): Promise<string> {
  const file = path.join(folder, 'other');
  // It ends with an error, when the disk is full.
  await run('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k']).catch(() => undefined);
  return file;
}
