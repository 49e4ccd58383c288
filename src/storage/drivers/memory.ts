import { setImmediate } from 'node:timers/promises';
import { type Static, Type } from 'typebox';
import { failure } from '../../shared/errors.ts';
import { totalBytes } from '../buffers.ts';
import { CallGate } from '../call-gate.ts';
import { byteSize, bytesOf, validConfig } from '../config.ts';
import type { StorageDriver } from '../driver.ts';
import { keyed } from '../keys.ts';
import { failed, hitWith } from '../results.ts';

export const MemoryOptions = Type.Object(
  {
    max_size: byteSize({
      default: '1GiB',
      description: 'Bytes of all values together; the least recently used go first.',
    }),
    ttl: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Seconds after which a value goes that was neither written nor read.',
        absent: 'values stay until there is no room for them',
      }),
    ),
  },
  { additionalProperties: false },
);

const LARGEST = 2 ** 30;
const PORTION = 100;
/** To copy more would keep everything else in the process from its turn. */
const TURN_BYTES = 1 << 20;

/** Values in this process, gone with it. */
export function memoryDriver(
  options: Static<typeof MemoryOptions> = validConfig('memory', MemoryOptions, {}),
  now: () => number = () => performance.now(),
): StorageDriver {
  const { ttl } = options;
  const maxBytes = bytesOf(options.max_size);
  /** The least recently used first, which is the first to expire, too. */
  const values = new Map<string, { value: Buffer; usedAt: number }>();
  let usedBytes = 0;
  const gate = new CallGate({ failedBy: (error) => failed('io', String(error)) });
  const miss = { status: 'miss' } as const;

  function forget(key: string): boolean {
    usedBytes -= values.get(key)?.value.length ?? 0;
    return values.delete(key);
  }

  function use(key: string, value: Buffer): void {
    forget(key);
    values.set(key, { value, usedAt: now() });
    usedBytes += value.length;
  }

  function forgetOld(bytes: number): void {
    for (const [key, { usedAt }] of values) {
      const isOver = ttl !== undefined && now() - usedAt >= 1000 * ttl;
      if (!isOver && usedBytes + bytes <= maxBytes) return;
      forget(key);
    }
  }

  const each = <T extends { key: string }, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (item: T) => R,
    bytesCopied: (item: T) => number = () => 0,
  ) =>
    gate.batch(items, signal, async (good, both) => {
      const results: R[] = [];
      let bytes = 0;
      for (const item of good) {
        both.throwIfAborted();
        forgetOld(0);
        results.push(work(item));
        bytes += bytesCopied(item);
        if (bytes < TURN_BYTES) continue;
        bytes = 0;
        await setImmediate();
      }
      return results;
    });

  return {
    name: 'memory',
    capabilities: Object.freeze({
      batch: 128,
      largestValue: LARGEST,
      list: true,
      ...(ttl !== undefined && { ttl }),
    }),
    async open() {
      gate.open();
    },
    async close() {
      await gate.close();
      values.clear();
      usedBytes = 0;
    },
    has: (keys, signal) =>
      each(keys.map(keyed), signal, ({ key }) => (values.has(key) ? { status: 'hit' } : miss)),
    read: (reads, signal) =>
      each(
        reads,
        signal,
        (read) => {
          const value = values.get(read.key)?.value;
          if (!value) return miss;
          use(read.key, value);
          return hitWith(value, read);
        },
        ({ into }) => totalBytes(into),
      ),
    write: (writes, signal) =>
      each(
        writes,
        signal,
        ({ key, parts }) => {
          const bytes = totalBytes(parts);
          if (bytes > Math.min(LARGEST, maxBytes)) return failed('size', 'The value is too large.');
          forget(key);
          forgetOld(bytes);
          use(key, Buffer.concat(parts));
          return { status: 'stored' };
        },
        ({ parts }) => totalBytes(parts),
      ),
    remove: (keys, signal) =>
      each(keys.map(keyed), signal, ({ key }) => (forget(key) ? { status: 'removed' } : miss)),
    async list(cursor = '') {
      if (!gate.isOpen) throw failure('storage_failed', { backend: 'memory', reason: 'It is not open.' });
      forgetOld(0);
      const later = [...values].filter(([key]) => key > cursor).sort(([a], [b]) => (a < b ? -1 : 1));
      const portion = later.slice(0, PORTION);
      return {
        keys: portion.map(([key]) => key),
        bytes: portion.map(([, { value }]) => value.byteLength),
        next: later.length > PORTION ? portion.at(-1)?.[0] : undefined,
      };
    },
    usage: () => ({ usedBytes, quotaBytes: maxBytes, stuckValues: 0 }),
  };
}
