import type { StorageDriver } from '../driver.ts';

/** A driver that only calls another one. What a layer does not replace stays as it is, `this` included. */
export function passThrough(driver: StorageDriver): StorageDriver {
  return {
    name: driver.name,
    capabilities: driver.capabilities,
    open: (signal) => driver.open(signal),
    close: () => driver.close(),
    has: (keys, signal) => driver.has(keys, signal),
    read: (reads, signal) => driver.read(reads, signal),
    write: (writes, signal) => driver.write(writes, signal),
    remove: (keys, signal) => driver.remove(keys, signal),
    list: driver.list && ((cursor, signal) => driver.list!(cursor, signal)),
    usage: driver.usage && (() => driver.usage!()),
  };
}
