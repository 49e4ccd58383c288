import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { median } from '../../../src/bench/statistics.ts';
import { HostPool } from '../../../src/controller/host-pool.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import type { Read, StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { HEADER_BYTES } from '../../../src/storage/layers/page-header.ts';
import { storageStack } from '../../../src/storage/stack.ts';

/** Gigabytes per second. */
export interface ReadSpeeds {
  read: number;
  plain: number;
  /** The median of the rounds' own ratios. */
  readOfPlain: number;
}

const REPEATS = 5;
/** Pages in a call and calls at once of src/controller/prefetch.ts. */
const BATCH = 16;
const CALLS = 2;
/** Files that are read at once without the product: as many as its driver reads. */
const AT_ONCE = 8;
const FINGERPRINT = '0'.repeat(64);
const LONG = 60_000;

/**
 * Writes pages with the file backend and reads them back as a prefetch does, through every layer, beside reading the
 * same files with nothing but open, read and close. The files are in the page cache.
 */
export async function measureReads(pool: HostPool, slots: Int32Array, rounds: number): Promise<ReadSpeeds> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const { pages: driver } = storageStack(createDriver('file', { path: folder }), {
    clock: systemClock,
    fingerprint: FINGERPRINT,
    namespace: FINGERPRINT,
    milliseconds: { open: LONG, close: LONG, has: LONG, read: LONG, write: LONG, remove: LONG, list: LONG },
    observer: { started: () => undefined, ended: () => undefined },
    onRejected: (reason) => {
      throw new Error(`A page was rejected: ${reason}.`);
    },
  });
  try {
    const signal = new AbortController().signal;
    await driver.open(signal);
    const keys = Array.from(slots, (_, i) => i.toString(16).padStart(64, '0'));
    const written = await driver.write(
      keys.map((key, i) => ({ key, parts: [pool.page(slots[i]!)] })),
      signal,
    );
    if (written.some(({ status }) => status !== 'stored')) throw new Error('The pages were not stored.');
    const reads = keys.map((key, i) => ({ key, into: [pool.page(slots[i]!)] }));
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.page'));
    const places = files.map((file) => path.join(folder, file));
    // Memory like that of the slots, so that copying costs the same.
    const room = new HostPool(places.length, pool.pageBytes + HEADER_BYTES);
    const buffers = Array.from(room.take(places.length)!, (slot) => room.page(slot).fill(1));
    const bytes = slots.length * pool.pageBytes;
    const read: number[] = [];
    const plain: number[] = [];
    for (let round = 0; round < REPEATS * rounds; round++) {
      read.push(bytes / (await time(() => readAll(reads, driver))) / 1e6);
      plain.push(bytes / (await time(() => readPlainly(places, buffers))) / 1e6);
    }
    const ratios = read.map((speed, i) => speed / plain[i]!);
    return { read: median(read), plain: median(plain), readOfPlain: median(ratios) };
  } finally {
    await driver.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** In calls of as many pages, and as many calls at once, as a prefetch makes. */
async function readAll(reads: readonly Read[], driver: StorageDriver): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < reads.length) {
      const batch = reads.slice(next, next + BATCH);
      next += batch.length;
      const results = await driver.read(batch, new AbortController().signal);
      if (results.some(({ status }) => status !== 'hit')) throw new Error('A page did not come.');
    }
  };
  await Promise.all(Array.from({ length: CALLS }, worker));
}

async function readPlainly(files: readonly string[], buffers: readonly Uint8Array[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const file = await open(files[i]!);
      await file.read(buffers[i]!);
      await file.close();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function time(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
