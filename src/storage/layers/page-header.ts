import xxhash from 'xxhash-addon';
import { LONGEST_KEY } from '../keys.ts';

/**
 * What stands before every stored page, so that nothing else is ever taken for it. Numbers are little-endian.
 *
 * | bytes      | field                                                                      |
 * | ---------- | -------------------------------------------------------------------------- |
 * | 0 to 3     | magic, `TKVP`                                                              |
 * | 4, 5       | version of this format                                                     |
 * | 6, 7       | length of the key                                                          |
 * | 8 to 15    | length of the payload                                                      |
 * | 16 to 47   | fingerprint of the model                                                   |
 * | 48 to 247  | key, then zeros                                                            |
 * | 248 to 255 | XXH3-64, canonical (big-endian), of bytes 0 to 247 and the payload         |
 *
 * XXH3 finds accidents. It is not meant against someone who can write to the store and wants to deceive.
 */
export const HEADER_BYTES = 256;

const MAGIC = 'TKVP';
/** The version of the format. */
export const PAGE_FORMAT = 1;
const CHECKSUM_AT = 248;
const KEY_AT = 48;

export interface PageHeader {
  key: string;
  /** 64 hexadecimal digits. */
  fingerprint: string;
  payloadBytes: number;
}

/** Why a stored value is not the page that its key says. */
export type Rejection = 'magic' | 'version' | 'fingerprint' | 'key' | 'length' | 'checksum';

/** A header for a payload, which is the parts one after the other. */
export function encodeHeader(header: PageHeader, payload: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt16LE(PAGE_FORMAT, 4);
  bytes.writeUInt16LE(header.key.length, 6);
  bytes.writeBigUInt64LE(BigInt(header.payloadBytes), 8);
  bytes.write(header.fingerprint, 16, 'hex');
  bytes.write(header.key, KEY_AT, 'latin1');
  checksum(bytes, payload).copy(bytes, CHECKSUM_AT);
  return bytes;
}

/** The fields, or what makes it no header of this format; the checksum is not looked at. */
export function decodeHeader(bytes: Buffer): PageHeader | Rejection {
  if (bytes.toString('latin1', 0, 4) !== MAGIC) return 'magic';
  if (bytes.readUInt16LE(4) !== PAGE_FORMAT) return 'version';
  const keyLength = bytes.readUInt16LE(6);
  if (keyLength > LONGEST_KEY) return 'key';
  return {
    key: bytes.toString('latin1', KEY_AT, KEY_AT + keyLength),
    fingerprint: bytes.toString('hex', 16, KEY_AT),
    payloadBytes: Number(bytes.readBigUInt64LE(8)),
  };
}

/** Whether header and payload are what was written together. */
export function checksumHolds(header: Buffer, payload: readonly Uint8Array[]): boolean {
  return checksum(header, payload).equals(header.subarray(CHECKSUM_AT));
}

// One is enough: a checksum is computed without waiting in between.
const hasher = new xxhash.XXHash3(Buffer.alloc(8));

function checksum(header: Buffer, payload: readonly Uint8Array[]): Buffer {
  hasher.reset();
  hasher.update(header.subarray(0, CHECKSUM_AT));
  for (const { buffer, byteOffset, byteLength } of payload)
    hasher.update(Buffer.from(buffer, byteOffset, byteLength));
  return hasher.digest();
}
