import { setImmediate as nextTurn } from 'node:timers/promises';
import { totalBytes } from '../../../../src/storage/buffers.ts';
import type { Failed, Listing, Read, StorageDriver, Write } from '../../../../src/storage/driver.ts';
import { memoryDriver } from '../../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../../src/storage/layers/pass-through.ts';
import type { GroupName } from '../../../../src/storage-suite/index.ts';
import { listAll } from '../calls.ts';

/** A driver that breaks the contract in one way. */
export interface Broken {
  make(): StorageDriver;
  makeExpiring?(seconds: number): StorageDriver;
  /** Where the suite must find it, and nowhere else. */
  groups: GroupName[];
  /** What one of the failures says. */
  says: RegExp;
  /** For one that hangs in many cases: how long each may take. */
  limitMs?: number;
}

export type Change = (right: StorageDriver) => Partial<StorageDriver>;

/** A driver that is right but for what is replaced. */
export function broken(change: Change): () => StorageDriver {
  return () => {
    const right = passThrough(memoryDriver());
    return { ...right, ...change(right) };
  };
}

export const ok = { status: 'stored' } as const;

/** Does something to every read that was a hit, before it is answered. */
export function afterHits(
  right: StorageDriver,
  work: (read: Read, bytes: number) => void,
): StorageDriver['read'] {
  return async (reads, signal) => {
    const results = await right.read(reads, signal);
    results.forEach((result, i) => {
      if (result.status === 'hit') work(reads[i]!, result.bytes);
    });
    return results;
  };
}

/** Replaces keys by others. */
export function renamed(change: (key: string) => string): Change {
  return (right) => ({
    has: (keys, signal) => right.has(keys.map(change), signal),
    read: (reads, signal) =>
      right.read(
        reads.map((read) => ({ ...read, key: change(read.key) })),
        signal,
      ),
    write: (writes, signal) =>
      right.write(
        writes.map((write) => ({ ...write, key: change(write.key) })),
        signal,
      ),
    remove: (keys, signal) => right.remove(keys.map(change), signal),
  });
}

export function renamedValues(change: (value: Buffer) => Buffer): Change {
  return (right) => ({
    write: (writes, signal) =>
      right.write(
        writes.map(({ key, parts }) => ({ key, parts: [change(Buffer.concat(parts))] })),
        signal,
      ),
  });
}

/** Every answer again, with another one where a failure of that kind was. */
export const without = <R extends { status: string } | Failed>(kind: string, instead: R) => {
  return (results: R[]): R[] =>
    results.map((result) => ('error' in result && result.error.kind === kind ? instead : result));
};

/** A listing whose cursor is a place in the order of the keys, which moves when they change. */
export async function byPlace(right: StorageDriver, cursor: string | undefined): Promise<Listing> {
  const keys = await listAll(right);
  const from = Number(cursor ?? 0);
  return {
    keys: keys.slice(from, from + 100),
    next: from + 100 < keys.length ? String(from + 100) : undefined,
  };
}

export async function inTwoSteps(right: StorageDriver, { key, parts }: Write, signal: AbortSignal) {
  if (totalBytes(parts) > 1e6) return (await right.write([{ key, parts }], signal))[0]!;
  const value = Buffer.concat(parts);
  const [first] = await right.write([{ key, parts: [value.subarray(0, value.length / 2)] }], signal);
  if (first?.status === 'error') return first;
  await nextTurn();
  const [second] = await right.write([{ key, parts: [value] }], signal);
  return second!;
}
