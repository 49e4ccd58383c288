import type { StorageDriver } from '../../src/storage/driver.ts';
import type { BareClient } from './target.ts';

/** A driver with the calls of a bare client. */
export function driverClient(driver: StorageDriver): BareClient {
  const signal = new AbortController().signal;
  const expectAll = (results: readonly { status: string }[], expected: string) => {
    const other = results.find(({ status }) => status !== expected);
    if (other) throw new Error(`${driver.name} answered ${JSON.stringify(other)}`);
  };
  return {
    async write(keys, values) {
      const writes = keys.map((key, i) => ({ key, parts: [values[i]!] }));
      expectAll(await driver.write(writes, signal), 'stored');
    },
    async read(keys, into) {
      const reads = keys.map((key, i) => ({ key, into: [into[i]!] }));
      expectAll(await driver.read(reads, signal), 'hit');
    },
    async remove(keys) {
      for (let i = 0; i < keys.length; i += driver.capabilities.batch)
        expectAll(await driver.remove(keys.slice(i, i + driver.capabilities.batch), signal), 'removed');
    },
  };
}
