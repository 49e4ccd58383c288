import { hash } from 'node:crypto';

/**
 * The keys of a prompt's pages. Each names its page's tokens and everything before them, so equal keys mean equal
 * prefixes: `key(i) = SHA-256(key(i-1) ‖ tokens as u32 little-endian)` in lower-case hex, which is SGLang's chain
 * (`get_hash_str` in sglang/srt/mem_cache/hicache_storage.py), so that tools agree.
 */

/** What a tenant or an adapter adds to a prompt: equal tokens under another namespace are another prefix. */
export interface Namespace {
  readonly extraKey: string | undefined;
  readonly cacheSalt: string | undefined;
}

/**
 * What the first key of a namespace is chained to; empty for requests that have none, as in SGLang. The fields are
 * framed by their lengths, so that no two namespaces give the same seed.
 */
export function namespaceSeed({ extraKey, cacheSalt }: Namespace): string {
  if (extraKey === undefined && cacheSalt === undefined) return '';
  const frame = (text: string | undefined) => {
    if (text === undefined) return Buffer.from([0]);
    // Not UTF-8: it writes every unpaired surrogate as the same character, and so merges names that differ.
    const bytes = Buffer.from(text, 'utf16le');
    const length = Buffer.alloc(5);
    length[0] = 1;
    length.writeUInt32LE(bytes.length, 1);
    return Buffer.concat([length, bytes]);
  };
  return hash('sha256', Buffer.concat([frame(extraKey), frame(cacheSalt)]), 'hex');
}

/** A key without its hexadecimal writing. */
const KEY_BYTES = 32;

/**
 * Keys of the whole pages of `tokens`; what is left over after the last whole page has none.
 *
 * @param previous the key before the first token: a seed, or the key of the page before
 * @throws RangeError when `previous` is neither empty nor a key: the chain would silently start anew
 */
export function pageKeys(previous: string, tokens: Int32Array, pageSize: number): string[] {
  const pages = Math.floor(tokens.length / pageSize);
  const keys = new Array<string>(pages);
  const input = Buffer.alloc(KEY_BYTES + pageSize * 4);
  if (previous !== '' && input.write(previous, 'hex') !== KEY_BYTES) {
    throw new RangeError('The key before a page has 64 hexadecimal digits.');
  }
  const fields = new DataView(input.buffer, input.byteOffset, input.length);
  let last = previous;
  for (let page = 0; page < pages; page++) {
    if (last !== '') input.write(last, 0, 'hex');
    for (let i = 0; i < pageSize; i++) fields.setInt32(KEY_BYTES + 4 * i, tokens[page * pageSize + i]!, true);
    last = hash('sha256', last === '' ? input.subarray(KEY_BYTES) : input, 'hex');
    keys[page] = last;
  }
  return keys;
}
