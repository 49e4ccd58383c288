import { open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import koffi from 'koffi';

/** POSIX_FADV_DONTNEED on Linux. */
const DONT_NEED = 4;

/** Takes a folder's files out of the page cache. Returns why that is not possible, or nothing. */
export async function dropFromPageCache(folder: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return `not known how on ${process.platform}`;
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const advise = fadvise();
  let advised = advise !== undefined;
  for (const name of files) {
    const file = await open(name);
    // What is not on the disk yet stays.
    await file.datasync();
    if (advise?.(file.fd) !== 0) advised = false;
    await file.close();
  }
  if (advised) return undefined;
  try {
    await writeFile('/proc/sys/vm/drop_caches', '3');
    return undefined;
  } catch (error) {
    return `neither posix_fadvise nor /proc/sys/vm/drop_caches: ${String(error)}`;
  }
}

function fadvise(): ((fd: number) => number) | undefined {
  try {
    const call = koffi
      .load('libc.so.6')
      .func('int posix_fadvise(int fd, int64 from, int64 length, int advice)');
    return (fd) => call(fd, 0, 0, DONT_NEED) as number;
  } catch {
    return undefined;
  }
}
