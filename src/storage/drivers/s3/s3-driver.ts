import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { limiter, unlessAborted } from '../../concurrency.ts';
import type { Listing, StorageDriver } from '../../driver.ts';
import { keyed } from '../../keys.ts';
import { failed } from '../../results.ts';
import type { Bucket } from './bucket.ts';
import { openBucket } from './open-bucket.ts';
import { checkOptions, type S3Options } from './options.ts';
import { Removal } from './removal.ts';
import { S3Error } from './s3-errors.ts';

/** S3 takes five times as much at once, for which nobody would wait. */
const LARGEST = 2 ** 30;

/**
 * Values as objects of a bucket, `<prefix>/<key>`, a request for each. What expires there is the bucket's matter.
 * Throws `storage_config` for options that contradict each other.
 */
export function s3Driver(options: S3Options): StorageDriver {
  checkOptions(options);
  const gate = new CallGate({ failedBy: (error) => S3Error.of(error).toFailed() });
  // Apart, so that a read never waits behind writes.
  const reading = limiter(options.max_connections);
  const writing = limiter(options.max_connections);
  const removal = new Removal(writing);
  let bucket: Bucket | undefined;
  /** Of an open driver, which is what the gate lets calls to. */
  const opened = () => bucket!;
  const broken = (cause: unknown, signal: AbortSignal) => {
    const words = cause instanceof Error ? cause.message : String(cause);
    const unlessClosed = signal.aborted ? 'The call was aborted.' : words;
    const reason = gate.closing.aborted ? 'It was closed.' : unlessClosed;
    return failure('storage_failed', { backend: 's3', reason }, { cause });
  };

  return {
    name: 's3',
    capabilities: Object.freeze({ batch: 128, largestValue: LARGEST, list: true }),
    async open(signal) {
      try {
        bucket = await openBucket(options, AbortSignal.any([signal, gate.closing]));
        gate.open();
      } catch (error) {
        throw broken(error, signal);
      }
    },
    async close() {
      await gate.close();
      bucket?.close();
    },
    has: (keys, signal) =>
      gate.each(keys.map(keyed), signal, reading, async ({ key }, both) => ({
        status: (await opened().has(key, both)) ? 'hit' : 'miss',
      })),
    read: (reads, signal) => gate.each(reads, signal, reading, (read, both) => opened().get(read, both)),
    write: (writes, signal) =>
      gate.each(writes, signal, writing, async (write, both) => {
        if (totalBytes(write.parts) > LARGEST) return failed('size', 'The value is too large.');
        return await opened().put(write, both);
      }),
    remove: (keys, signal) =>
      gate.batch(keys.map(keyed), signal, (items, both) =>
        removal.remove(
          opened(),
          items.map(({ key }) => key),
          both,
        ),
      ),
    async list(cursor, signal): Promise<Listing> {
      try {
        if (!gate.isOpen) throw new Error('It is not open.');
        const both = AbortSignal.any([signal, gate.closing]);
        both.throwIfAborted();
        const listing = await unlessAborted(
          reading(() => opened().list(cursor, both)),
          both,
        );
        removal.listed(listing.keys);
        return listing;
      } catch (error) {
        throw broken(error, signal);
      }
    },
  };
}
