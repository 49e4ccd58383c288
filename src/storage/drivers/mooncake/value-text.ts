import { totalBytes } from '../../buffers.ts';

/**
 * Values are texts in the service's requests, so bytes are base64 in them. What stands before it says that it is, and
 * keeps a value from being empty: an empty answer is one that the service could not read.
 */
const PREFIX = 'b64,';

/** Bytes of the text of a value of so many bytes. */
export function textLength(bytes: number): number {
  return PREFIX.length + 4 * Math.ceil(bytes / 3);
}

/** The body of a request that stores a value. Neither a key nor base64 holds what JSON escapes. */
export function putBody(key: string, parts: readonly Uint8Array[]): Buffer {
  const [first] = parts;
  const value =
    parts.length === 1 && first
      ? Buffer.from(first.buffer, first.byteOffset, first.byteLength)
      : Buffer.concat(parts, totalBytes(parts));
  return Buffer.from(`{"key":"${key}","value":"${PREFIX}${value.toString('base64')}"}`, 'latin1');
}

/** The bytes of a text; undefined where it is none of a value. */
export function bytesOfText(text: Buffer): Buffer | undefined {
  const start = PREFIX.length;
  if ((text.byteLength - start) % 4 !== 0 || text.toString('latin1', 0, start) !== PREFIX) return undefined;
  const end = text.indexOf(PAD);
  const padding = end < 0 ? 0 : text.byteLength - end;
  if (padding > 2 || (padding === 2 && text.at(-1) !== PAD)) return undefined;
  const bytes = Buffer.from(text.toString('latin1', start), 'base64');
  // The decoder passes over what it does not know, so that less comes out.
  return bytes.byteLength === ((text.byteLength - start) / 4) * 3 - padding ? bytes : undefined;
}

/** The bytes that the beginning of a text stands for. */
export function bytesOfBeginning(text: Buffer): Buffer | undefined {
  const whole = PREFIX.length + 4 * Math.floor((text.byteLength - PREFIX.length) / 4);
  return bytesOfText(text.subarray(0, whole));
}

const PAD = '='.charCodeAt(0);
