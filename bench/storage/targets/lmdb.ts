import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { open } from 'lmdb';
import { createDriver } from '../../../src/storage/factory.ts';
import type { Target } from '../target.ts';

/** A data file; beside the driver the lmdb package, with a transaction for every call. */
export async function lmdbTarget(): Promise<Target> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const driver = createDriver('lmdb', { path: path.join(folder, 'driver'), max_size: '2GB' });
  await driver.open(new AbortController().signal);
  const database = open({ path: path.join(folder, 'bare'), encoding: 'binary', compression: false });
  return {
    name: 'lmdb',
    bareName: 'the lmdb package',
    driver,
    bare: {
      async write(keys, values) {
        await database.batch(() => {
          for (const [i, key] of keys.entries()) void database.put(key, values[i]!);
        });
      },
      async read(keys, into) {
        for (const [i, key] of keys.entries()) {
          const value = database.getBinaryFast(key);
          if (!value) throw new Error(`${key} is not there`);
          // It is longer than the value.
          into[i]!.set(value.subarray(0, into[i]!.byteLength));
        }
      },
      async remove(keys) {
        await database.batch(() => {
          for (const key of keys) void database.remove(key);
        });
      },
    },
    async stop() {
      await driver.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
