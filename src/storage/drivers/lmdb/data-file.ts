import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from '../file/file-errors.ts';

/**
 * What stands at the beginning of an LMDB data file, as the build in `lmdb` 3.5 writes it: two pages, each with these
 * numbers, little-endian. LMDB maps the file and believes them: to touch a page behind the end of a file that was cut
 * would end the process with a signal, where no error can be caught.
 */
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_BYTES_AT = 48;
const LAST_PAGE_AT = 144;
const META_BYTES = 160;
/** Pages at the end that a transaction took and gave back are never written. */
const NEVER_WRITTEN = 64;
const ZEROS_TOGETHER = 1 << 20;

/**
 * Looks at a data file before LMDB does, and makes up for what its end may lack. One that is absent or empty is good: it
 * is made.
 *
 * @throws what is wrong with it, in words, or the system's error
 */
export async function checkDataFile(file: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDWR | constants.O_APPEND);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size === 0) return;
    const first = await readMeta(handle, 0);
    const pageBytes = first?.readUInt32LE(PAGE_BYTES_AT) ?? 0;
    const second = pageBytes > 0 ? await readMeta(handle, pageBytes) : undefined;
    if (!first || !second) throw new Error('it is no data file of LMDB');
    const ends = [first, second].map((meta) => (Number(meta.readBigUInt64LE(LAST_PAGE_AT)) + 1) * pageBytes);
    // After a power cut the later one may tell of pages that never came to the disk; LMDB then takes the earlier one.
    if (size < Math.min(...ends) - NEVER_WRITTEN * pageBytes) throw new Error('its end is missing');
    await lengthen(handle, Math.max(...ends));
  } finally {
    await handle.close();
  }
}

/** Another process may be writing at the end, so nothing is cut or written over: zeros are appended, and none too many. */
async function lengthen(handle: FileHandle, end: number): Promise<void> {
  for (;;) {
    const { size } = await handle.stat();
    if (size >= end) return;
    await handle.write(Buffer.alloc(Math.min(end - size, ZEROS_TOGETHER)));
  }
}

async function readMeta(handle: FileHandle, position: number): Promise<Buffer | undefined> {
  const meta = Buffer.alloc(META_BYTES);
  const { bytesRead } = await handle.read(meta, 0, META_BYTES, position);
  return bytesRead === META_BYTES && meta.readUInt32LE(MAGIC_AT) === MAGIC ? meta : undefined;
}
