import { scatter, totalBytes } from '../../buffers.ts';
import type { Read, ReadResult, StorageDriver, Write } from '../../driver.ts';
import { turns } from '../../turns.ts';

/** A read into memory of its own, so that it can be left alone at any time. */
export interface Trial {
  results: ReadResult[];
  buffers: Uint8Array[];
}

/** Reads into memory of its own. */
export async function tryRead(
  driver: StorageDriver,
  reads: readonly Read[],
  signal: AbortSignal,
): Promise<Trial> {
  const buffers = reads.map(({ into }) => Buffer.allocUnsafeSlow(totalBytes(into)));
  const own = reads.map(({ key }, i) => ({ key, into: [buffers[i]!] }));
  return { results: await driver.read(own, signal), buffers };
}

/**
 * Copies what was hit into the callers' buffers, and the beginning of what was too long for them. Throws the signal's
 * reason, and copies nothing more then.
 */
export async function take(
  { results, buffers }: Trial,
  reads: readonly Read[],
  signal: AbortSignal,
): Promise<void> {
  const turn = turns();
  for (const [i, result] of results.entries()) {
    const read = reads[i];
    const value = buffers[i]?.subarray(0, bytesOf(result));
    if (!read || !value || value.length === 0) continue;
    signal.throwIfAborted();
    scatter(value, read.into);
    await turn(value.length);
  }
}

/** How much of a buffer a result speaks of: all of it where the value is longer. */
function bytesOf(result: ReadResult): number {
  if (result.status === 'hit') return result.bytes;
  return isTooLong(result) ? Number.POSITIVE_INFINITY : 0;
}

export function isTooLong(result: { status: string; error?: { kind: string } }): boolean {
  return result.error?.kind === 'size';
}

/** The same writes, with values in memory of its own. Throws the signal's reason. */
export async function copiesOf(writes: readonly Write[], signal: AbortSignal): Promise<Write[]> {
  const copies: Write[] = [];
  const turn = turns();
  for (const { key, parts } of writes) {
    signal.throwIfAborted();
    const value = Buffer.concat(parts);
    copies.push({ key, parts: [value] });
    await turn(value.length);
  }
  return copies;
}
