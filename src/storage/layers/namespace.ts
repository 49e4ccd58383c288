import type { StorageLayer } from '../driver.ts';
import { LONGEST_KEY } from '../keys.ts';
import { changedCapabilities } from './changed-capabilities.ts';
import { passThrough } from './pass-through.ts';

/**
 * Keeps one model's keys apart from all others in a store: every key becomes `name/key`.
 *
 * @param name itself a key of the contract; shortens the longest key by its length and one
 */
export function namespaceLayer(name: string): StorageLayer {
  const prefix = `${name}/`;
  const full = (key: string) => prefix + key;
  return (driver) => {
    const base = passThrough(driver);
    return {
      ...base,
      capabilities: changedCapabilities(base.capabilities, {
        longestKey: (base.capabilities.longestKey ?? LONGEST_KEY) - prefix.length,
      }),
      has: (keys, signal) => base.has(keys.map(full), signal),
      read: (reads, signal) =>
        base.read(
          reads.map((read) => ({ ...read, key: full(read.key) })),
          signal,
        ),
      write: (writes, signal) =>
        base.write(
          writes.map((write) => ({ ...write, key: full(write.key) })),
          signal,
        ),
      remove: (keys, signal) => base.remove(keys.map(full), signal),
      list:
        base.list &&
        (async (cursor, signal) => {
          const { keys, next } = await base.list!(cursor, signal);
          // With the slash, which no name contains: `bar` is no part of `foo_bar`, nor of `bar2`.
          const own = keys.filter((key) => key.startsWith(prefix));
          return { keys: own.map((key) => key.slice(prefix.length)), next };
        }),
    };
  };
}
