import { hash } from 'node:crypto';
import type { HasResult, ReadResult, RemoveResult, StorageDriver, WriteResult } from '../storage/driver.ts';

/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** Bytes that look random and repeat from the seed. */
export function bytes(length: number, seed = 1): Buffer {
  const value = Buffer.alloc(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    value[i] = state >>> 24;
  }
  return value;
}

/** A key as pages have them. */
export function pageKey(seed: number): string {
  return hash('sha256', String(seed));
}

/** So many keys as pages have them. */
export function pageKeys(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => pageKey(from + i));
}

export async function write(driver: StorageDriver, key: string, value: Uint8Array): Promise<WriteResult> {
  const [result] = await driver.write([{ key, parts: [value] }], never);
  return result!;
}

/** The result, and the value where there is one. */
export async function read(
  driver: StorageDriver,
  key: string,
  room = 4096,
): Promise<{ result: ReadResult; value: Buffer | undefined }> {
  const buffer = Buffer.alloc(room);
  const [result] = await driver.read([{ key, into: [buffer] }], never);
  return { result: result!, value: result?.status === 'hit' ? buffer.subarray(0, result.bytes) : undefined };
}

export async function has(driver: StorageDriver, key: string): Promise<HasResult> {
  const [result] = await driver.has([key], never);
  return result!;
}

export async function remove(driver: StorageDriver, key: string): Promise<RemoveResult> {
  const [result] = await driver.remove([key], never);
  return result!;
}

/** What one status line says of a result: its status, or the kind of its error. */
export function outcome(result: { status: string } & { error?: { kind: string } }): string {
  return result.error?.kind ?? result.status;
}

/** Resolves when no buffer of a call is in use any more. */
export async function settled(results: readonly object[]): Promise<void> {
  await Promise.all(results.map((result) => ('settled' in result ? result.settled : undefined)));
}

export async function listAll(driver: StorageDriver): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const portion = await driver.list!(cursor, never);
    keys.push(...portion.keys);
    cursor = portion.next;
  } while (cursor !== undefined);
  return keys;
}

/** Some of them at a time, as many as a driver takes in one call. */
export function portions<T>(items: readonly T[], { capabilities }: StorageDriver, most = 100): T[][] {
  const size = Math.min(capabilities.batch, most);
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
