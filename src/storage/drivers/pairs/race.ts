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

/** Copies what was hit into the callers' buffers. Throws the signal's reason, and copies nothing more then. */
export async function take(
  { results, buffers }: Trial,
  reads: readonly Read[],
  signal: AbortSignal,
): Promise<void> {
  const turn = turns();
  for (const [i, result] of results.entries()) {
    const read = reads[i];
    if (result.status !== 'hit' || !read) continue;
    signal.throwIfAborted();
    scatter(buffers[i]!.subarray(0, result.bytes), read.into);
    await turn(result.bytes);
  }
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
