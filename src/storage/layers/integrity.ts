import { slice, totalBytes } from '../buffers.ts';
import type { Read, ReadResult, StorageDriver, StorageLayer, Write, WriteResult } from '../driver.ts';
import { isKey, notAKey } from '../keys.ts';
import { failed } from '../results.ts';
import { turns } from '../turns.ts';
import { changedCapabilities } from './changed-capabilities.ts';
import { checksumHolds, decodeHeader, encodeHeader, HEADER_BYTES, type Rejection } from './page-header.ts';
import { passThrough } from './pass-through.ts';

export interface IntegrityOptions {
  /** The model's, 64 hexadecimal digits in lower case. */
  fingerprint: string;
  /** Told of every value that was not what its key says. It has been taken for a miss, and is being removed. */
  onRejected(reason: Damage, key: string): void;
}

/**
 * A page is a hit only when its header and every byte of it were verified; anything else is a miss and is removed,
 * so that it is written again. The header is one more buffer in front of the caller's: no byte is copied.
 */
export function integrityLayer(options: IntegrityOptions): StorageLayer {
  return (driver) => {
    const base = passThrough(driver);
    const turn = turns();
    return {
      ...base,
      capabilities: changedCapabilities(base.capabilities, {
        largestValue: (bytes) => bytes - HEADER_BYTES,
      }),
      async read(reads, signal) {
        const portions = chunks(reads).map((portion) => readVerified(base, options, turn, portion, signal));
        return (await Promise.all(portions)).flat();
      },
      async write(writes, signal) {
        const portions: Promise<WriteResult[]>[] = [];
        for (const portion of chunks(writes)) {
          const good: Write[] = [];
          for (const write of portion.filter(({ key }) => isKey(key))) {
            good.push(withHeader(write, options.fingerprint));
            await turn(totalBytes(write.parts));
          }
          portions.push(writeGood(base, portion, good, signal));
        }
        return (await Promise.all(portions)).flat();
      },
    };
  };
}

/**
 * Pages in one call of the driver, so that some are verified while others are read where the driver does not say when
 * each of them is there.
 */
const PORTION = 8;

function chunks<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / PORTION) }, (_, i) =>
    items.slice(i * PORTION, (i + 1) * PORTION),
  );
}

/** Answers for all of `writes`; those that are not in `good` have no key. */
async function writeGood(
  driver: StorageDriver,
  writes: readonly Write[],
  good: readonly Write[],
  signal: AbortSignal,
): Promise<WriteResult[]> {
  const results = await driver.write(good, signal);
  let next = 0;
  return writes.map(({ key }) => (isKey(key) ? results[next++]! : notAKey()));
}

function withHeader({ key, parts }: Write, fingerprint: string): Write {
  const header = encodeHeader({ key, fingerprint, payloadBytes: totalBytes(parts) }, parts);
  return { key, parts: [header, ...parts] };
}

/** Why a value is not the page that its key says, or that the store says so. */
export type Damage = Rejection | 'corrupt';
type Outcome = ReadResult | Damage;

async function readVerified(
  driver: StorageDriver,
  { fingerprint, onRejected }: IntegrityOptions,
  turn: (bytes: number) => Promise<void>,
  reads: readonly Read[],
  signal: AbortSignal,
): Promise<ReadResult[]> {
  const headers = reads.map(() => Buffer.alloc(HEADER_BYTES));
  /** Of those that the driver said it had filled: how many bytes it said, and what was found in them. */
  const early: ({ bytes: number; outcome: Outcome } | undefined)[] = reads.map(() => undefined);
  const results = await driver.read(
    reads.map((read, i) => ({
      key: read.key,
      into: [headers[i]!, ...read.into],
      filled: (bytes) => {
        const outcome = verifyPage(read, headers[i]!, fingerprint, { status: 'hit', bytes });
        early[i] = { bytes, outcome };
      },
    })),
    signal,
  );
  const rejected = new Set<string>();
  const verified: ReadResult[] = [];
  for (const [i, result] of results.entries()) {
    const read = reads[i]!;
    let outcome = result.status === 'hit' && result.bytes === early[i]?.bytes ? early[i].outcome : undefined;
    if (outcome === undefined) {
      outcome = verifyPage(read, headers[i]!, fingerprint, result);
      if (result.status === 'hit') await turn(result.bytes);
    }
    if (typeof outcome === 'string') {
      rejected.add(read.key);
      onRejected(outcome, read.key);
    }
    verified.push(typeof outcome === 'string' ? { status: 'miss' } : outcome);
  }
  // Its answer changes nothing: where the value stays, the next read rejects it again.
  if (rejected.size > 0) await driver.remove([...rejected], signal);
  return verified;
}

/**
 * What becomes of a read whose header and page were read one after the other: what is damaged is told by its reason.
 *
 * @param read of the page alone, by the key of the store
 * @param result of the read with the header
 */
export function verifyPage(
  { key, into }: Read,
  header: Buffer,
  fingerprint: string,
  result: ReadResult,
): Outcome {
  const tooLong = result.status === 'error' && result.error.kind === 'size';
  if (result.status === 'error' && result.error.kind === 'corrupt') return 'corrupt';
  if (result.status !== 'hit' && !tooLong) return result;
  if (result.status === 'hit' && result.bytes < HEADER_BYTES) return 'length';
  const fields = decodeHeader(header);
  if (typeof fields === 'string') return fields;
  if (fields.fingerprint !== fingerprint) return 'fingerprint';
  if (fields.key !== key) return 'key';
  if (result.status !== 'hit') {
    // Too long for the buffers: a mistake of the caller's, unless the header says that it should have fitted.
    if (fields.payloadBytes <= totalBytes(into)) return 'length';
    return failed('size', `The page has ${fields.payloadBytes} bytes and does not fit into the buffers.`);
  }
  const bytes = result.bytes - HEADER_BYTES;
  if (fields.payloadBytes !== bytes) return 'length';
  if (!checksumHolds(header, slice(into, 0, bytes))) return 'checksum';
  return { status: 'hit', bytes };
}
