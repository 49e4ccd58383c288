import { createDriver } from '../../../src/storage/factory.ts';
import type { Target } from '../target.ts';

/** Values of this process. */
export async function memoryTarget(): Promise<Target> {
  const driver = createDriver('memory', {});
  await driver.open(new AbortController().signal);
  const values = new Map<string, Buffer>();
  return {
    name: 'memory',
    bareName: 'a Map of copies',
    driver,
    bare: {
      async write(keys, from) {
        for (const [i, key] of keys.entries()) values.set(key, Buffer.from(from[i]!));
      },
      async read(keys, into) {
        for (const [i, key] of keys.entries()) into[i]!.set(values.get(key)!);
      },
      async remove(keys) {
        for (const key of keys) values.delete(key);
      },
    },
    stop: () => driver.close(),
  };
}
