import { promisify } from 'node:util';
import zlib from 'node:zlib';

/**
 * What stands before a value, compressed or not. Numbers are little-endian.
 *
 * | bytes   | field                                                    |
 * | ------- | -------------------------------------------------------- |
 * | 0 to 2  | magic, `TKZ`                                             |
 * | 3       | version of this format                                   |
 * | 4       | what follows: 0, the value as it is; 1, a frame of zstd  |
 * | 5 to 7  | zeros                                                    |
 * | 8 to 15 | length of the value                                      |
 */
export const PACK_BYTES = 16;

const MAGIC = Buffer.from('TKZ\x01', 'latin1');
const METHOD_AT = 4;
const LENGTH_AT = 8;

/** A block of a frame holds so many bytes of the value at most, and is never longer than they are but for its head. */
const BLOCK_BYTES = 128 * 1024;
/** More than the heads of a frame and of one block. */
const HEADS_BYTES = 64;

/** What zlib takes as the length of a piece, at least. */
const SHORTEST_PIECE = 64;

/** Whether this Node.js has zstd. */
export const HAS_ZSTD = typeof zlib.zstdCompress === 'function';

export interface PackHeader {
  compressed: boolean;
  /** Of the value. */
  bytes: number;
}

export function packHeader({ compressed, bytes }: PackHeader): Buffer {
  const head = Buffer.alloc(PACK_BYTES);
  MAGIC.copy(head);
  head[METHOD_AT] = compressed ? 1 : 0;
  head.writeBigUInt64LE(BigInt(bytes), LENGTH_AT);
  return head;
}

/** Undefined for what is no header of this format. */
export function parsePackHeader(head: Buffer): PackHeader | undefined {
  const method = head[METHOD_AT];
  if (!head.subarray(0, MAGIC.length).equals(MAGIC) || method === undefined || method > 1) return undefined;
  return { compressed: method === 1, bytes: Number(head.readBigUInt64LE(LENGTH_AT)) };
}

export async function compress(value: Buffer, level: number): Promise<Buffer> {
  return promisify(zlib.zstdCompress)(value, {
    chunkSize: wholePiece(value.length),
    params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
  });
}

/** The value of a frame; undefined for what is no frame, or one of another length. Never makes more than that. */
export async function decompress(frame: Buffer, bytes: number): Promise<Buffer | undefined> {
  try {
    const value = await promisify(zlib.zstdDecompress)(frame, {
      chunkSize: wholePiece(bytes),
      // Zero would be no limit.
      maxOutputLength: Math.max(1, bytes),
    });
    return value.length === bytes ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What comes out comes in one piece: for each one there is a turn of a thread and of the event loop. */
function wholePiece(bytes: number): number {
  return Math.max(SHORTEST_PIECE, bytes);
}

/** How much of a frame is enough for {@link decompressBeginning}. */
export function enoughFor(bytes: number): number {
  const blocks = Math.ceil(bytes / BLOCK_BYTES) + 1;
  return blocks * (BLOCK_BYTES + HEADS_BYTES);
}

/** So many bytes that a frame begins with, of which the end may be missing; undefined where it does not hold them. */
export async function decompressBeginning(frame: Buffer, bytes: number): Promise<Buffer | undefined> {
  const stream = zlib.createZstdDecompress();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    stream.end(frame);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= bytes) break;
    }
  } catch {
    // It ends too early, or is no frame: what came until then may be enough.
  } finally {
    stream.destroy();
  }
  return length >= bytes ? Buffer.concat(chunks).subarray(0, bytes) : undefined;
}
