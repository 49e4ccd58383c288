import { type CipherGCMTypes, createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/**
 * What stands before an encrypted value. The value follows it, as long as it was.
 *
 * | bytes    | field                                                                            |
 * | -------- | -------------------------------------------------------------------------------- |
 * | 0 to 2   | magic, `TKE`                                                                     |
 * | 3        | version of this format                                                           |
 * | 4 to 11  | the first bytes of the HMAC-SHA256 of `tierkv key id` under the key: which key    |
 * | 12 to 23 | nonce, drawn anew for every value                                                |
 * | 24 to 39 | tag of AES-256-GCM                                                               |
 *
 * Bytes 0 to 11 and the name under which the value is stored are authenticated with it: a value that was moved to
 * another name is as wrong as one that was changed.
 */
export const SEAL_BYTES = 40;

const CIPHER: CipherGCMTypes = 'aes-256-gcm';
const MAGIC = Buffer.from('TKE\x01', 'latin1');
const NONCE_AT = 12;
const TAG_AT = 24;
const ID_BYTES = 8;
const OPTIONS = { authTagLength: SEAL_BYTES - TAG_AT };

export const KEY_BYTES = 32;

/** A key with what its values name it by, which tells nothing of it. */
export interface SealKey {
  readonly id: string;
  readonly key: Buffer;
}

export function sealKey(key: Buffer): SealKey {
  const id = createHmac('sha256', key).update('tierkv key id').digest().subarray(0, ID_BYTES);
  return { id: id.toString('hex'), key };
}

/** The value as it is to be stored, in buffers of its own. */
export function seal({ id, key }: SealKey, name: string, parts: readonly Uint8Array[]): Buffer[] {
  const head = Buffer.alloc(SEAL_BYTES);
  MAGIC.copy(head);
  head.write(id, MAGIC.length, 'hex');
  randomBytes(TAG_AT - NONCE_AT).copy(head, NONCE_AT);
  const cipher = createCipheriv(CIPHER, key, head.subarray(NONCE_AT, TAG_AT), OPTIONS);
  cipher.setAAD(authenticated(head, name));
  const sealed = parts.map((part) => cipher.update(part));
  cipher.final();
  cipher.getAuthTag().copy(head, TAG_AT);
  return [head, ...sealed];
}

/** Which key a value was encrypted with; undefined for what is no encrypted value. */
export function keyIdOf(head: Buffer): string | undefined {
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  return head.toString('hex', MAGIC.length, NONCE_AT);
}

/** Decrypts parts where they lie. False when they are not what was encrypted under that name: then they hold anything. */
export function unseal(key: Buffer, head: Buffer, name: string, parts: readonly Uint8Array[]): boolean {
  const decipher = decipherOf(key, head, name);
  for (const part of parts) part.set(decipher.update(part));
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

/** The same for the beginning of a value, which cannot be authenticated: nobody may take it for a value. */
export function unsealBeginning(key: Buffer, head: Buffer, name: string, parts: readonly Uint8Array[]): void {
  const decipher = decipherOf(key, head, name);
  for (const part of parts) part.set(decipher.update(part));
}

function decipherOf(key: Buffer, head: Buffer, name: string) {
  const decipher = createDecipheriv(CIPHER, key, head.subarray(NONCE_AT, TAG_AT), OPTIONS);
  decipher.setAuthTag(head.subarray(TAG_AT));
  decipher.setAAD(authenticated(head, name));
  return decipher;
}

function authenticated(head: Buffer, name: string): Buffer {
  return Buffer.concat([head.subarray(0, NONCE_AT), Buffer.from(name, 'latin1')]);
}
