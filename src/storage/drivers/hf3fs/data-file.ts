import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { gather, scatter, totalBytes } from '../../buffers.ts';
import type { Read, ReadResult } from '../../driver.ts';
import { failed, hitWith } from '../../results.ts';
import { alignedMemory, BLOCK_BYTES, directFlag, wholeBlocks } from '../file/direct-files.ts';
import { FILE_MODE } from '../file/folders.ts';

/**
 * What stands in the first block of a place in the data file, before the value. Numbers are little-endian.
 *
 * | bytes    | field                                                        |
 * | -------- | ------------------------------------------------------------ |
 * | 0 to 3   | magic, `TKV3`                                                |
 * | 4, 5     | 1 where the value is whole, 0 while it is written            |
 * | 6, 7     | length of the key                                            |
 * | 8 to 15  | length of the value                                          |
 * | 16 to 31 | of this write: no two have the same                          |
 * | 32 on    | key                                                          |
 */
const MAGIC = 'TKV3';
const WHOLE = 1;
const KEY_AT = 32;
export const HEAD_BYTES = BLOCK_BYTES;

/** One file of places of the same length. What is in a place can become another key's at any time. */
export class DataFile {
  readonly #handle: FileHandle;
  readonly #placeBytes: number;
  /** A place, and its first block once more. */
  readonly #unused: Uint8Array<ArrayBuffer>[] = [];

  private constructor(handle: FileHandle, placeBytes: number) {
    this.#handle = handle;
    this.#placeBytes = placeBytes;
  }

  /** Makes the file where it is not there, and as long as it will be. Throws the system's error. */
  static async open(file: string, places: number, placeBytes: number): Promise<DataFile> {
    const flags = constants.O_RDWR | constants.O_CREAT | directFlag();
    const handle = await open(file, flags, FILE_MODE);
    try {
      const { size } = await handle.stat();
      if (size < places * placeBytes) await handle.truncate(places * placeBytes);
      return new DataFile(handle, placeBytes);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** The value in a place, when it is the key's and nobody began to write there meanwhile. Throws the system's error. */
  async read(index: number, read: Read): Promise<ReadResult | 'changed'> {
    return this.#withMemory(async (memory) => {
      const at = index * this.#placeBytes;
      const room = totalBytes(read.into);
      const most = Math.min(this.#placeBytes, HEAD_BYTES + wholeBlocks(room));
      const bytesRead = await this.#readAll(memory.subarray(0, most), at);
      const head = Buffer.from(memory.buffer, 0, HEAD_BYTES);
      const length = lengthOf(head, read.key);
      if (length === undefined || bytesRead < Math.min(most, HEAD_BYTES + length)) return 'changed';
      const again = memory.subarray(this.#placeBytes);
      await this.#readAll(again, at);
      if (!head.equals(again)) return 'changed';
      const value = memory.subarray(HEAD_BYTES, Math.min(HEAD_BYTES + length, most));
      if (length <= room) return hitWith(value, read);
      scatter(value, read.into);
      return failed('size', 'The value does not fit into the buffers.');
    });
  }

  /** Whoever reads meanwhile sees that it is not whole, or that it became another one. Throws the system's error. */
  async write(index: number, key: string, parts: readonly Uint8Array[]): Promise<void> {
    await this.#withMemory(async (memory) => {
      const at = index * this.#placeBytes;
      const bytes = totalBytes(parts);
      const head = Buffer.from(memory.buffer, 0, HEAD_BYTES).fill(0);
      head.write(MAGIC, 0, 'latin1');
      head.writeUInt16LE(key.length, 6);
      head.writeBigUInt64LE(BigInt(bytes), 8);
      randomBytes(16).copy(head, 16);
      head.write(key, KEY_AT, 'latin1');
      await this.#writeAll(memory.subarray(0, HEAD_BYTES), at);
      const end = HEAD_BYTES + wholeBlocks(bytes);
      gather(parts, memory.subarray(HEAD_BYTES));
      memory.fill(0, HEAD_BYTES + bytes, end);
      await this.#writeAll(memory.subarray(HEAD_BYTES, end), at + HEAD_BYTES);
      head.writeUInt16LE(WHOLE, 4);
      await this.#writeAll(memory.subarray(0, HEAD_BYTES), at);
    });
  }

  async #withMemory<T>(work: (memory: Uint8Array<ArrayBuffer>) => Promise<T>): Promise<T> {
    const memory = this.#unused.pop() ?? alignedMemory(this.#placeBytes + HEAD_BYTES);
    try {
      return await work(memory);
    } finally {
      this.#unused.push(memory);
    }
  }

  async #readAll(memory: Uint8Array, at: number): Promise<number> {
    let bytes = 0;
    while (bytes < memory.byteLength) {
      const { bytesRead } = await this.#handle.read(memory, bytes, memory.byteLength - bytes, at + bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
    }
    return bytes;
  }

  async #writeAll(memory: Uint8Array, at: number): Promise<void> {
    let bytes = 0;
    while (bytes < memory.byteLength) {
      const { bytesWritten } = await this.#handle.write(memory, bytes, memory.byteLength - bytes, at + bytes);
      bytes += bytesWritten;
    }
  }
}

/** Of the value, when it is this key's and whole. */
function lengthOf(head: Buffer, key: string): number | undefined {
  if (head.toString('latin1', 0, 4) !== MAGIC || head.readUInt16LE(4) !== WHOLE) return undefined;
  const keyLength = head.readUInt16LE(6);
  const isKeys = keyLength === key.length && head.toString('latin1', KEY_AT, KEY_AT + keyLength) === key;
  return isKeys ? Number(head.readBigUInt64LE(8)) : undefined;
}
