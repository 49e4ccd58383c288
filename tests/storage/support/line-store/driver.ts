import { failure } from '../../../../src/shared/errors.ts';
import { totalBytes } from '../../../../src/storage/buffers.ts';
import { CallGate } from '../../../../src/storage/call-gate.ts';
import { limiter } from '../../../../src/storage/concurrency.ts';
import type { StorageDriver } from '../../../../src/storage/driver.ts';
import { keyed } from '../../../../src/storage/keys.ts';
import { failed, hitWith } from '../../../../src/storage/results.ts';
import type { Address } from '../../../../src/storage-suite/index.ts';
import { LineClient } from './client.ts';

const LARGEST = 2 ** 25;

/** A driver for the store of server.ts: an example of one over a network, for the tests of the suite. */
export function lineDriver(address: Address, store: string, ttlSeconds?: number): StorageDriver {
  const client = new LineClient(address);
  const gate = new CallGate({ failedBy: (error) => failed('unreachable', String(error)) });
  const limit = limiter(64);
  const ttl = String(1000 * (ttlSeconds ?? 0));
  const broken = (error: unknown) => failure('storage_failed', { backend: 'line', reason: String(error) });
  const miss = { status: 'miss' } as const;

  return {
    name: 'line',
    capabilities: Object.freeze({
      batch: 100,
      largestValue: LARGEST,
      list: true,
      ...(ttlSeconds === undefined ? {} : { ttl: ttlSeconds }),
    }),
    async open(signal) {
      try {
        await client.ask(['has', store, 'a'], Buffer.alloc(0), AbortSignal.any([signal, gate.closing]));
        gate.open();
      } catch (error) {
        throw broken(error);
      }
    },
    async close() {
      const closed = gate.close();
      client.close();
      await closed;
    },
    has: (keys, signal) =>
      gate.each(keys.map(keyed), signal, limit, async ({ key }, both) => {
        const { words } = await client.ask(['has', store, key], Buffer.alloc(0), both);
        return words[0] === 'hit' ? { status: 'hit' } : miss;
      }),
    read: (reads, signal) =>
      gate.each(reads, signal, limit, async (read, both) => {
        const { words, body } = await client.ask(['read', store, read.key], Buffer.alloc(0), both);
        return words[0] === 'hit' ? hitWith(body, read) : miss;
      }),
    write: (writes, signal) =>
      gate.each(writes, signal, limit, async ({ key, parts }, both) => {
        if (totalBytes(parts) > LARGEST) return failed('size', 'The value is too large.');
        // A copy: the socket keeps what it is given longer than the call may last.
        await client.ask(['write', store, key, ttl], Buffer.concat(parts), both);
        return { status: 'stored' };
      }),
    remove: (keys, signal) =>
      gate.each(keys.map(keyed), signal, limit, async ({ key }, both) => {
        const { words } = await client.ask(['remove', store, key], Buffer.alloc(0), both);
        return words[0] === 'removed' ? { status: 'removed' } : miss;
      }),
    async list(cursor = '', signal) {
      if (!gate.isOpen) throw broken('It is not open.');
      try {
        const both = AbortSignal.any([signal, gate.closing]);
        const { body } = await client.ask(['list', store], Buffer.from(cursor), both);
        const keys = body.byteLength === 0 ? [] : body.toString().split('\n');
        return { keys, next: keys.at(-1) };
      } catch (error) {
        throw broken(error);
      }
    },
  };
}
