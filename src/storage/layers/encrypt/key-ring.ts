import { open } from 'node:fs/promises';
import { unlessAborted } from '../../concurrency.ts';
import { KEY_BYTES, type SealKey, sealKey } from './sealed-value.ts';

/** Where a key comes from. */
export type KeySource =
  /** Its text, from the environment. */
  | { option: string; text: string }
  /** A file that holds its text. */
  | { option: string; file: string };

/** The key that values are encrypted with, and all that they are decrypted with, by their ids. */
export interface KeyRing {
  readonly current: SealKey;
  readonly all: ReadonlyMap<string, Buffer>;
}

/** More than any text of a key: what is longer is another file. */
const LONGEST_TEXT = 1000;
/** Rights of everybody. */
const OTHERS = 0o007;

const HEXADECIMAL = /^[0-9a-f]{64}$/i;
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

/** The key of a text; undefined for a text of none. */
export function parseKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  if (HEXADECIMAL.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (!BASE64.test(trimmed)) return undefined;
  const key = Buffer.from(trimmed, 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

export const WHAT_A_KEY_IS = `must be a key: ${KEY_BYTES} bytes, as 64 hexadecimal digits or as base64`;

/**
 * Reads all keys. Throws an Error whose message begins with the option that is wrong, and holds no key.
 *
 * @param sources the first one is the current key
 */
export async function loadKeys(sources: readonly KeySource[], signal: AbortSignal): Promise<KeyRing> {
  const keys: SealKey[] = [];
  for (const source of sources) {
    const text = 'text' in source ? source.text : await unlessAborted(readKeyFile(source), signal);
    const key = parseKey(text);
    if (!key) throw new Error(`'${source.option}' ${WHAT_A_KEY_IS}`);
    keys.push(sealKey(key));
  }
  const [current] = keys;
  if (!current) throw new Error("'encrypt' has no key");
  return { current, all: new Map(keys.map(({ id, key }) => [id, key])) };
}

async function readKeyFile({ option, file }: { option: string; file: string }): Promise<string> {
  const handle = await open(file).catch((error: Error) => {
    throw new Error(`'${option}' cannot be read: ${error.message}`);
  });
  try {
    const { mode } = await handle.stat();
    // There, files have no such rights.
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
      throw new Error(`'${option}': everybody may read or change ${file}; take these rights away (chmod o=)`);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(LONGEST_TEXT), 0, LONGEST_TEXT, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
