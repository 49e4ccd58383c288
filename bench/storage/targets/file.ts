import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, rm, unlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { alignedMemory } from '../../../src/storage/drivers/file/direct-files.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import type { BareClient, Target } from '../target.ts';

/** Of the values that are measured. */
const LARGEST = 1024 * 1024;

/** Files in one folder, in the page cache; beside the driver the calls of node:fs alone. */
export function fileTarget(): Promise<Target> {
  return targetIn('file', {});
}

/** The same past the page cache, both of them. */
export function directFileTarget(): Promise<Target | string> {
  return targetIn('file, direct I/O', { direct_io: true }, constants.O_DIRECT).catch(
    (error: unknown) => `the file system of ${os.tmpdir()} has no direct I/O: ${String(error)}`,
  );
}

async function targetIn(name: string, options: object, flags = 0): Promise<Target> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const driver = createDriver('file', { path: path.join(folder, 'driver'), min_free_space: 0, ...options });
  await driver.open(new AbortController().signal);
  await mkdir(path.join(folder, 'bare'));
  return {
    name,
    bareName: 'node:fs',
    driver,
    bare: bareFiles(path.join(folder, 'bare'), flags),
    async stop() {
      await driver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @param flags to open with; memory is aligned where they ask for it, and values are whole blocks */
function bareFiles(folder: string, flags: number): BareClient {
  const place = (key: string) => path.join(folder, key);
  const spare: Uint8Array[] = [];
  const withMemory = async (buffer: Uint8Array, work: (memory: Uint8Array) => Promise<void>) => {
    if (flags === 0) return work(buffer);
    const memory = spare.pop() ?? alignedMemory(LARGEST);
    await work(memory.subarray(0, buffer.byteLength));
    spare.push(memory);
  };
  return {
    async write(keys, values) {
      const writeOne = (key: string, value: Uint8Array) =>
        withMemory(value, async (memory) => {
          if (memory !== value) memory.set(value);
          const file = await open(
            place(key),
            constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | flags,
          );
          await file.write(memory);
          await file.close();
        });
      await Promise.all(keys.map((key, i) => writeOne(key, values[i]!)));
    },
    async read(keys, into) {
      const readOne = (key: string, buffer: Uint8Array) =>
        withMemory(buffer, async (memory) => {
          const file = await open(place(key), constants.O_RDONLY | flags);
          const { bytesRead } = await file.read(memory);
          await file.close();
          if (bytesRead < buffer.byteLength) throw new Error(`${key} is cut`);
          if (memory !== buffer) buffer.set(memory);
        });
      await Promise.all(keys.map((key, i) => readOne(key, into[i]!)));
    },
    async remove(keys) {
      for (const key of keys) await unlink(place(key));
    },
  };
}
