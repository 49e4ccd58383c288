import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { temporaryFolder } from './folders.ts';

/** A driver over a plugin of this source, in a new folder. */
export async function driverOf(source: string, config: object): Promise<StorageDriver> {
  const folder = await temporaryFolder();
  await writeFile(path.join(folder, 'plugin.mjs'), source);
  return createDriver('dynamic', { module_path: 'plugin.mjs', ...config }, { dynamicFolder: folder });
}

/** A store in SGLang's shape, with some methods replaced or added. */
export function sglangSource(methods: string): string {
  return `
    class Base {
      values = new Map();
      get(key) { return this.values.get(key) ?? null; }
      set(key, value) { this.values.set(key, value); return true; }
      exists(key) { return this.values.has(key); }
    }
    export class Store extends Base { ${methods} }`;
}

/** A storage driver that holds nothing, with some members replaced or added. */
export function driverSource(members: string): string {
  return `
    class Base {
      capabilities = { batch: 8, largestValue: 1 << 20, list: false };
      async open() {}
      async close() {}
      async has(keys) { return keys.map(() => ({ status: 'miss' })); }
      async read(reads) { return reads.map(() => ({ status: 'miss' })); }
      async write(writes) { return writes.map(() => ({ status: 'stored' })); }
      async remove(keys) { return keys.map(() => ({ status: 'miss' })); }
    }
    export class Driver extends Base { ${members} }`;
}
