import { hash } from 'node:crypto';
import type { Read } from '../storage/driver.ts';

/**
 * What L3 keeps of the tokens behind a prefix's last whole page: the page that ends where they do, and then the tokens,
 * as 32-bit little-endian numbers. It is looked for under a name that whoever knows the whole pages can make, so there is
 * one for each of them, and the one that came last replaces a shorter or a longer one.
 */
export function tailKey(lastPageKey: string): string {
  return hash('sha256', `tail of ${lastPageKey}`, 'hex');
}

/** Which tail a value is: what is known to be stored need not be written again. */
export function tailName(key: string, tokens: Int32Array): string {
  return `${key} ${hash('sha256', bytesOf(tokens), 'hex')}`;
}

/** The parts of the value. They are the caller's memory. */
export function tailParts(page: Uint8Array, tokens: Int32Array): Uint8Array[] {
  return [page, bytesOf(tokens)];
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Room for the tokens of a tail, behind a page that is the caller's. */
export class TailRead {
  readonly read: Read;
  readonly #page: Uint8Array;
  readonly #tokens: Int32Array;

  constructor(lastPageKey: string, page: Uint8Array, pageSize: number) {
    this.#page = page;
    this.#tokens = new Int32Array(pageSize - 1);
    this.read = { key: tailKey(lastPageKey), into: tailParts(page, this.#tokens) };
  }

  /** The tokens of a value of so many bytes; none when it cannot be a tail. */
  tokens(bytes: number): Int32Array {
    const count = (bytes - this.#page.byteLength) / Int32Array.BYTES_PER_ELEMENT;
    return Number.isInteger(count) && count > 0 ? this.#tokens.subarray(0, count) : new Int32Array();
  }
}
