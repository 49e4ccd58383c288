import { Type } from 'typebox';
import { failure } from '../../shared/errors.ts';
import { totalBytes } from '../buffers.ts';
import type { Failed, Read, StorageDriver } from '../driver.ts';
import { isKey, notAKey } from '../keys.ts';
import { failed } from '../results.ts';

export const MemoryOptions = Type.Object({}, { additionalProperties: false });

const LARGEST = 2 ** 30;
const PORTION = 100;

/** Values in this process, without a limit and gone with it: for tests and examples. */
export function memoryDriver(): StorageDriver {
  const values = new Map<string, Buffer>();
  let isOpen = false;

  async function each<T, R>(
    items: readonly T[],
    keyOf: (item: T) => string,
    signal: AbortSignal,
    work: (item: T) => R,
  ): Promise<(R | Failed)[]> {
    if (!isOpen) return items.map(() => failed('closed', 'It is not open.'));
    if (signal.aborted) return items.map(() => failed('aborted', 'The call was aborted.'));
    return items.map((item) => (isKey(keyOf(item)) ? work(item) : notAKey()));
  }
  const miss = { status: 'miss' } as const;

  return {
    name: 'memory',
    capabilities: Object.freeze({ batch: 128, largestValue: LARGEST, list: true }),
    async open() {
      isOpen = true;
    },
    async close() {
      isOpen = false;
      values.clear();
    },
    has: (keys, signal) => each(keys, String, signal, (key) => (values.has(key) ? { status: 'hit' } : miss)),
    read: (reads, signal) =>
      each(reads, keyOf, signal, ({ key, into }: Read) => {
        const value = values.get(key);
        if (!value) return miss;
        scatter(value, into);
        if (value.length > totalBytes(into))
          return failed('size', 'The value does not fit into the buffers.');
        return { status: 'hit', bytes: value.length };
      }),
    write: (writes, signal) =>
      each(writes, keyOf, signal, ({ key, parts }) => {
        if (totalBytes(parts) > LARGEST) return failed('size', 'The value is too large.');
        values.set(key, Buffer.concat(parts));
        return { status: 'stored' };
      }),
    remove: (keys, signal) =>
      each(keys, String, signal, (key) => (values.delete(key) ? { status: 'removed' } : miss)),
    async list(cursor = '') {
      if (!isOpen) throw failure('storage_failed', { backend: 'memory', reason: 'It is not open.' });
      const later = [...values.keys()].filter((key) => key > cursor).sort();
      const keys = later.slice(0, PORTION);
      return { keys, next: later.length > PORTION ? keys.at(-1) : undefined };
    },
    usage: () => ({
      usedBytes: [...values.values()].reduce((sum, { length }) => sum + length, 0),
      quotaBytes: undefined,
      stuckValues: 0,
    }),
  };
}

const keyOf = ({ key }: { key: string }) => key;

function scatter(value: Buffer, into: readonly Uint8Array[]): void {
  let at = 0;
  for (const buffer of into) {
    buffer.set(value.subarray(at, at + buffer.byteLength));
    at += buffer.byteLength;
  }
}
