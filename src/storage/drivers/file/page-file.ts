import { mkdir, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { slice, totalBytes } from '../../buffers.ts';
import type { Read } from '../../driver.ts';
import { closeFile, closeFileAtOnce, openFile, readInto, writeFrom } from './descriptors.ts';
import { codeOf, isAbsent } from './file-errors.ts';
import { FILE_MODE, FOLDER_MODE } from './folders.ts';
import { releaseTemporaryName, takeTemporaryName } from './temporary-files.ts';

// A value that reaches into this byte, read after the buffers, does not fit into them. Nobody looks at what it holds.
const BEYOND = Buffer.alloc(1);

/** One way to read and write the files of pages; what is in them is the same either way. */
export interface PageFiles {
  /** As {@link readPage}. */
  read(
    file: string,
    read: Omit<Read, 'key'>,
    expected: number | undefined,
  ): Promise<number | 'absent' | 'too long'>;
  /** As {@link writePage}. */
  write(file: string, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  /** How long a file of so many bytes is while it is written. */
  bytesWhileWritten(bytes: number): number;
}

type Close = (descriptor: number) => Promise<void> | void;

/**
 * Through the memory that the system keeps of files.
 *
 * @param isLocal whether they are on a disk of this machine: a file is then closed in a microsecond, while another thread
 * would have to be asked for that; elsewhere the system may wait for somebody's answer
 */
export function ordinaryFiles(isLocal: boolean): PageFiles {
  const close: Close = isLocal ? closeFileAtOnce : closeFile;
  return {
    read: (file, read, expected) => readPage(file, read, expected, close),
    write: (file, parts, signal) =>
      writePage(file, 'wx', signal, close, (descriptor) => writeAll(descriptor, parts)),
    bytesWhileWritten: (bytes) => bytes,
  };
}

/**
 * Reads a whole file into the buffers of a read, without a copy, and says at once when they are filled. Throws the
 * system's error.
 *
 * @param expected its length, where that is known: saves the read that finds nothing more
 */
async function readPage(
  file: string,
  { into, filled }: Omit<Read, 'key'>,
  expected: number | undefined,
  close: Close,
): Promise<number | 'absent' | 'too long'> {
  let descriptor: number;
  try {
    descriptor = await openFile(file, 'r');
  } catch (error) {
    if (isAbsent(error)) return 'absent';
    throw error;
  }
  let closed: { end: Promise<void> | void } | undefined;
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
        closed = { end: close(descriptor) };
        filled?.(bytes);
        return bytes;
      }
    }
  } finally {
    await (closed ? closed.end : close(descriptor));
  }
}

/**
 * Makes a file that appears under its name at once and whole, and its folder where needed. Throws the system's error, or
 * the signal's reason, and leaves nothing behind then.
 *
 * Nothing waits for the disk (fsync): after a power cut a page may be torn, but its checksum tells, and a torn page is
 * only computed again, while waiting would cost every write.
 */
export async function writePage(
  file: string,
  flags: string | number,
  signal: AbortSignal,
  close: Close,
  fill: (descriptor: number) => Promise<void>,
): Promise<void> {
  const name = takeTemporaryName();
  const temporary = path.join(path.dirname(file), name);
  try {
    const descriptor = await createFile(temporary, flags);
    try {
      signal.throwIfAborted();
      await fill(descriptor);
    } finally {
      await close(descriptor);
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

/** Makes and opens a file that is not there yet, for its owner only, and its folder where needed. Throws the system's error. */
export async function createFile(file: string, flags: string | number = 'wx'): Promise<number> {
  try {
    return await openFile(file, flags, FILE_MODE);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    await makeFolder(path.dirname(file));
    return await openFile(file, flags, FILE_MODE);
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

async function writeAll(descriptor: number, parts: readonly Uint8Array[]): Promise<void> {
  const total = totalBytes(parts);
  let written = 0;
  while (written < total) {
    written += await writeFrom(descriptor, written === 0 ? parts : slice(parts, written, total));
  }
}
