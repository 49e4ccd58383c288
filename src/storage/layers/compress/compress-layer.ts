import { scatter, slice, totalBytes } from '../../buffers.ts';
import { limiter } from '../../concurrency.ts';
import type { Failed, Read, ReadResult, StorageDriver, StorageLayer, Write } from '../../driver.ts';
import { failed, hitWith } from '../../results.ts';
import { changedCapabilities } from '../changed-capabilities.ts';
import { passThrough } from '../pass-through.ts';
import {
  compress,
  decompress,
  decompressBeginning,
  enoughFor,
  PACK_BYTES,
  packHeader,
  parsePackHeader,
} from './packed-value.ts';

export interface CompressOptions {
  /** Of zstd. */
  level: number;
}

/** What a value must lose at least to be stored compressed: what saves less is not worth decompressing. */
const LEAST_SAVING = 0.05;
/** Values at a time, on the threads that also compute: for each other work there must be some left. */
const PARALLEL = 2;

/**
 * Compresses values with zstd, those that it makes smaller by enough. Compressing and decompressing happen on other
 * threads, in buffers of the layer's own; never more is made of a value than fits into the caller's buffers.
 */
export function compressLayer({ level }: CompressOptions): StorageLayer {
  return (driver) => {
    const base = passThrough(driver);
    const limit = limiter(PARALLEL);
    const capabilities = changedCapabilities(base.capabilities, {
      largestValue: (bytes) => bytes - PACK_BYTES,
    });

    async function packed({ key, parts }: Write): Promise<Write> {
      const bytes = totalBytes(parts);
      const frame = await compress(Buffer.concat(parts), level).catch(() => undefined);
      if (frame && frame.length <= bytes * (1 - LEAST_SAVING))
        return { key, parts: [packHeader({ compressed: true, bytes }), frame] };
      return { key, parts: [packHeader({ compressed: false, bytes }), ...parts] };
    }

    async function unpacked(
      read: Read,
      head: Buffer,
      result: ReadResult,
      signal: AbortSignal,
    ): Promise<ReadResult> {
      const isTooLong = result.status === 'error' && result.error.kind === 'size';
      if (result.status !== 'hit' && !isTooLong) return result;
      if (result.status === 'hit' && result.bytes < PACK_BYTES) return corrupt();
      const fields = parsePackHeader(head);
      if (!fields) return corrupt();
      const { compressed, bytes } = fields;
      const room = totalBytes(read.into);
      const stored = result.status === 'hit' ? result.bytes - PACK_BYTES : undefined;
      if (!compressed)
        return stored === undefined || stored === bytes ? asItIs(read, result, bytes) : corrupt();
      if (bytes > room) return limit(() => tooLong(base, read, signal));
      // What is compressed is shorter than what it is made of.
      if (stored === undefined) return corrupt();
      const frame = Buffer.concat(slice(read.into, 0, stored));
      const value = await limit(() => decompress(frame, bytes));
      if (signal.aborted) return aborted();
      if (!value) return corrupt();
      return hitWith(value, read);
    }

    return {
      ...base,
      capabilities,
      async read(reads, signal) {
        const heads = reads.map(() => Buffer.alloc(PACK_BYTES));
        const asked = reads.map(({ key, into }, i) => ({ key, into: [heads[i]!, ...into] }));
        const results = await base.read(asked, signal);
        return Promise.all(results.map((result, i) => unpacked(reads[i]!, heads[i]!, result, signal)));
      },
      async write(writes, signal) {
        // Also what would fit once it is compressed: whether it does must not depend on what it holds.
        const { largestValue } = capabilities;
        const fits = writes.map(({ parts }) => totalBytes(parts) <= largestValue);
        const all = await Promise.all(
          writes
            .filter((_, i) => fits[i])
            .map((write) => limit(async () => (signal.aborted ? undefined : packed(write)))),
        );
        const done = all.filter((write) => write !== undefined);
        const results = done.length < all.length ? all.map(aborted) : await base.write(done, signal);
        let next = 0;
        return fits.map((fit) => (fit ? results[next++]! : failed('size', 'The value is too large.')));
      },
      list:
        base.list &&
        (async (cursor, signal) => {
          // How long the values are that they were made of, only they say.
          const { bytes: _, ...listing } = await base.list!(cursor, signal);
          return listing;
        }),
    };
  };
}

function asItIs(read: Read, result: ReadResult, bytes: number): ReadResult {
  if (result.status !== 'hit') return result;
  read.filled?.(bytes);
  return { status: 'hit', bytes };
}

/** Gives a value's beginning, as much as fits. For that the buffers were too short, so it is read again. */
async function tooLong(driver: StorageDriver, read: Read, signal: AbortSignal): Promise<ReadResult> {
  const room = totalBytes(read.into);
  const head = Buffer.alloc(PACK_BYTES);
  const frame = Buffer.alloc(enoughFor(room));
  const [result] = await driver.read([{ key: read.key, into: [head, frame] }], signal);
  const isThere = result?.status === 'hit' || (result?.status === 'error' && result.error.kind === 'size');
  if (!result || !isThere) return result ?? corrupt();
  const length = result.status === 'hit' ? Math.max(0, result.bytes - PACK_BYTES) : frame.length;
  if (!parsePackHeader(head)?.compressed) return corrupt();
  const beginning = await decompressBeginning(frame.subarray(0, length), room);
  if (signal.aborted) return aborted();
  if (!beginning) return corrupt();
  scatter(beginning, read.into);
  return failed('size', 'The value does not fit into the buffers.');
}

function corrupt(): Failed {
  return failed('corrupt', 'It is no value that was compressed here.');
}

function aborted(): Failed {
  return failed('aborted', 'The call was aborted.');
}
