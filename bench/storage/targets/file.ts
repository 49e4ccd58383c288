import { mkdir, mkdtemp, open, rm, unlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createDriver } from '../../../src/storage/factory.ts';
import type { BareClient, Target } from '../target.ts';

/** Files in one folder, in the page cache; beside the driver the calls of node:fs alone. */
export function fileTarget(): Promise<Target> {
  return targetIn('file', {});
}

/** The same past the page cache, beside files in it. */
export function directFileTarget(): Promise<Target | string> {
  return targetIn('file, direct I/O', { direct_io: true }).catch(
    (error: unknown) => `the file system of ${os.tmpdir()} has no direct I/O: ${String(error)}`,
  );
}

async function targetIn(name: string, options: object): Promise<Target> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const driver = createDriver('file', { path: path.join(folder, 'driver'), min_free_space: 0, ...options });
  await driver.open(new AbortController().signal);
  await mkdir(path.join(folder, 'bare'));
  return {
    name,
    bareName: 'node:fs',
    driver,
    bare: bareFiles(path.join(folder, 'bare')),
    async stop() {
      await driver.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function bareFiles(folder: string): BareClient {
  const place = (key: string) => path.join(folder, key);
  return {
    async write(keys, values) {
      await Promise.all(keys.map((key, i) => writeFile(place(key), values[i]!)));
    },
    async read(keys, into) {
      const readOne = async (key: string, buffer: Uint8Array) => {
        const file = await open(place(key));
        const { bytesRead } = await file.read(buffer);
        await file.close();
        if (bytesRead < buffer.byteLength) throw new Error(`${key} is cut`);
      };
      await Promise.all(keys.map((key, i) => readOne(key, into[i]!)));
    },
    async remove(keys) {
      for (const key of keys) await unlink(place(key));
    },
  };
}
