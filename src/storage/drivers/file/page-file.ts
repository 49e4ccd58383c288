import fs from 'node:fs';
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { slice, totalBytes } from '../../buffers.ts';
import type { Read } from '../../driver.ts';
import { codeOf, isAbsent } from './file-errors.ts';
import { FILE_MODE, FOLDER_MODE } from './folders.ts';
import { releaseTemporaryName, takeTemporaryName } from './temporary-files.ts';

// A value that reaches into this byte, read after the buffers, does not fit into them. Nobody looks at what it holds.
const BEYOND = Buffer.alloc(1);

/**
 * Reads a whole file into the buffers of a read, without a copy, and says at once when they are filled. Throws the
 * system's error.
 *
 * @param expected its length, where that is known: saves the read that finds nothing more
 */
export async function readPage(
  file: string,
  { into, filled }: Omit<Read, 'key'>,
  expected: number | undefined,
): Promise<number | 'absent' | 'too long'> {
  let descriptor: number;
  try {
    descriptor = await openToRead(file);
  } catch (error) {
    if (isAbsent(error)) return 'absent';
    throw error;
  }
  let closed: Promise<void> | undefined;
  try {
    const room = totalBytes(into);
    const buffers = [...into, BEYOND];
    let bytes = 0;
    for (;;) {
      const rest = bytes === 0 ? buffers : slice(buffers, bytes, room + 1);
      const bytesRead = await readInto(descriptor, rest);
      bytes += bytesRead;
      if (bytes > room) return 'too long';
      if (bytesRead === 0 || bytes === expected) {
        // Begun before somebody looks at the bytes, which takes this thread a while.
        closed = closeFile(descriptor);
        filled?.(bytes);
        return bytes;
      }
    }
  } finally {
    await (closed ?? closeFile(descriptor));
  }
}

/**
 * Writes a file that appears under its name at once and whole, and makes its folder where needed. Throws the system's
 * error, or the signal's reason, and leaves nothing behind then.
 *
 * Nothing waits for the disk (fsync): after a power cut a page may be torn, but its checksum tells, and a torn page is
 * only computed again, while waiting would cost every write.
 */
export async function writePage(
  file: string,
  parts: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const name = takeTemporaryName();
  const temporary = path.join(path.dirname(file), name);
  try {
    const handle = await createFile(temporary);
    try {
      signal.throwIfAborted();
      await writeAll(handle, parts);
    } finally {
      await handle.close();
    }
    signal.throwIfAborted();
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    releaseTemporaryName(name);
  }
}

/** Makes a file that is not there yet, for its owner only, and its folder where needed. Throws the system's error. */
export async function createFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', FILE_MODE);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    await makeFolder(path.dirname(file));
    return await open(file, 'wx', FILE_MODE);
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    // Node's recursive mkdir says ENOENT for everything, a read-only disk too.
    await mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && !isAbsent(error)) throw error;
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  }
}

async function writeAll(handle: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  const total = totalBytes(parts);
  let written = 0;
  while (written < total) {
    const { bytesWritten } = await handle.writev(written === 0 ? parts : slice(parts, written, total));
    written += bytesWritten;
  }
}

// Reading is done with descriptors: the handles of node:fs/promises make it an eighth slower.

function openToRead(file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, 'r', (error, descriptor) => (error ? reject(error) : resolve(descriptor)));
  });
}

function readInto(descriptor: number, buffers: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.readv(descriptor, buffers, (error, bytesRead) => (error ? reject(error) : resolve(bytesRead)));
  });
}

function closeFile(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}
