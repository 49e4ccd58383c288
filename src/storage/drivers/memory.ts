import { Type } from 'typebox';
import { failure } from '../../shared/errors.ts';
import { totalBytes } from '../buffers.ts';
import { CallGate } from '../call-gate.ts';
import type { StorageDriver } from '../driver.ts';
import { keyed } from '../keys.ts';
import { failed, hitWith } from '../results.ts';

export const MemoryOptions = Type.Object({}, { additionalProperties: false });

const LARGEST = 2 ** 30;
const PORTION = 100;

/** Values in this process, without a limit and gone with it: for tests and examples. */
export function memoryDriver(): StorageDriver {
  const values = new Map<string, Buffer>();
  const gate = new CallGate({ failedBy: (error) => failed('io', String(error)) });
  const each = <T extends { key: string }, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (item: T) => R,
  ) => gate.batch(items, signal, async (good) => good.map(work));
  const miss = { status: 'miss' } as const;

  return {
    name: 'memory',
    capabilities: Object.freeze({ batch: 128, largestValue: LARGEST, list: true }),
    async open() {
      gate.open();
    },
    async close() {
      await gate.close();
      values.clear();
    },
    has: (keys, signal) =>
      each(keys.map(keyed), signal, ({ key }) => (values.has(key) ? { status: 'hit' } : miss)),
    read: (reads, signal) =>
      each(reads, signal, (read) => {
        const value = values.get(read.key);
        return value ? hitWith(value, read) : miss;
      }),
    write: (writes, signal) =>
      each(writes, signal, ({ key, parts }) => {
        if (totalBytes(parts) > LARGEST) return failed('size', 'The value is too large.');
        values.set(key, Buffer.concat(parts));
        return { status: 'stored' };
      }),
    remove: (keys, signal) =>
      each(keys.map(keyed), signal, ({ key }) => (values.delete(key) ? { status: 'removed' } : miss)),
    async list(cursor = '') {
      if (!gate.isOpen) throw failure('storage_failed', { backend: 'memory', reason: 'It is not open.' });
      const later = [...values].filter(([key]) => key > cursor).sort(([a], [b]) => (a < b ? -1 : 1));
      const portion = later.slice(0, PORTION);
      return {
        keys: portion.map(([key]) => key),
        bytes: portion.map(([, { byteLength }]) => byteLength),
        next: later.length > PORTION ? portion.at(-1)?.[0] : undefined,
      };
    },
    usage: () => ({
      usedBytes: [...values.values()].reduce((sum, { length }) => sum + length, 0),
      quotaBytes: undefined,
      stuckValues: 0,
    }),
  };
}
