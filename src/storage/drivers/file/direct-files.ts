import { constants } from 'node:fs';
import { unlink } from 'node:fs/promises';
import path from 'node:path';
import { gather, scatter, slice, totalBytes } from '../../buffers.ts';
import type { Read } from '../../driver.ts';
import { closeFile, cutFile, openFile, readAt, writeAt } from './descriptors.ts';
import { codeOf, isAbsent } from './file-errors.ts';
import { createFile, type PageFiles, writePage } from './page-file.ts';
import { releaseTemporaryName, takeTemporaryName } from './temporary-files.ts';

/** Where a transfer begins, how long it is, and where its memory begins: multiples of this suit every disk. */
export const BLOCK_BYTES = 4096;
/** Of one transfer: most pages are read with one. */
const CHUNK_BYTES = 2 << 20;

/**
 * Reads and writes pages past the memory that the system keeps of files (O_DIRECT). The header before a page, and
 * callers' buffers, are not aligned as such transfers must be: everything is copied through memory that is.
 */
export class DirectFiles implements PageFiles {
  /** As many as are used at once, which the driver limits. */
  readonly #unused: Uint8Array[] = [];

  async read(file: string, { into, filled }: Omit<Read, 'key'>, expected: number | undefined) {
    let descriptor: number;
    try {
      descriptor = await openFile(file, constants.O_RDONLY | directFlag());
    } catch (error) {
      if (isAbsent(error)) return 'absent';
      throw error;
    }
    const chunk = this.#take();
    try {
      const room = totalBytes(into);
      let bytes = 0;
      for (;;) {
        const bytesRead = await readAt(descriptor, chunk, bytes);
        if (bytesRead > 0) scatter(chunk.subarray(0, bytesRead), slice(into, bytes, room));
        bytes += bytesRead;
        if (bytes > room) return 'too long';
        // Only the end of a file is not a whole block.
        if (bytesRead % BLOCK_BYTES !== 0 || bytesRead === 0 || bytes === expected) break;
      }
      filled?.(bytes);
      return bytes;
    } finally {
      this.#unused.push(chunk);
      await closeFile(descriptor);
    }
  }

  async write(file: string, parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const chunk = this.#take();
    try {
      await writePage(file, flagsToCreate(), signal, closeFile, (descriptor) =>
        writeAll(descriptor, parts, chunk),
      );
    } finally {
      this.#unused.push(chunk);
    }
  }

  bytesWhileWritten(bytes: number): number {
    return wholeBlocks(bytes);
  }

  #take(): Uint8Array {
    return this.#unused.pop() ?? alignedMemory(CHUNK_BYTES);
  }
}

/** Shows that a folder's file system takes such transfers. Throws what to change, or the system's error. */
export async function tryDirectIo(folder: string): Promise<void> {
  const name = takeTemporaryName();
  const file = path.join(folder, name);
  const memory = alignedMemory(BLOCK_BYTES).fill(1);
  try {
    const made = await createFile(file, flagsToCreate());
    await writeAll(made, [memory], memory).finally(() => closeFile(made));
    const descriptor = await openFile(file, constants.O_RDONLY | directFlag());
    await readAt(descriptor, memory, 0).finally(() => closeFile(descriptor));
  } catch (error) {
    if (!['EINVAL', 'EOPNOTSUPP', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
    const reason =
      "the file system of the folder does not take direct I/O: change 'path', or 'direct_io' to false";
    throw new Error(reason, { cause: error });
  } finally {
    await unlink(file).catch(() => {});
    releaseTemporaryName(name);
  }
}

function flagsToCreate(): number {
  return constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | directFlag();
}

/** Throws where the system has no such thing. */
export function directFlag(): number {
  if (constants.O_DIRECT === undefined)
    throw Object.assign(new Error('there is no O_DIRECT here'), { code: 'ENOTSUP' });
  return constants.O_DIRECT;
}

/** Memory that could grow is made of whole pages of the system. */
export function alignedMemory(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes }));
}

export function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Writes whole blocks, and then cuts the file to its length. */
async function writeAll(descriptor: number, parts: readonly Uint8Array[], chunk: Uint8Array): Promise<void> {
  const total = totalBytes(parts);
  for (let at = 0; at < total; at += chunk.byteLength) {
    const bytes = Math.min(total - at, chunk.byteLength);
    gather(slice(parts, at, at + bytes), chunk);
    const end = wholeBlocks(bytes);
    chunk.fill(0, bytes, end);
    for (let written = 0; written < end; ) {
      written += await writeAt(descriptor, chunk.subarray(written, end), at + written);
    }
  }
  if (total % BLOCK_BYTES !== 0) await cutFile(descriptor, total);
}
