import type { Capabilities, StorageDriver } from '../../driver.ts';
import { type SglangStore, sglangDriver } from './sglang-adapter.ts';

const DRIVER = ['open', 'close', 'has', 'read', 'write', 'remove'];
const SGLANG = ['get', 'set', 'exists'];

/**
 * A plugin as a driver: it is one already, or a store in SGLang's shape. Throws an error that names what is missing.
 * Nothing of it has been called yet.
 */
export function asDriver(plugin: unknown): StorageDriver {
  if (typeof plugin !== 'object' || plugin === null) throw new Error('what was made is no object');
  const has = (name: string) => typeof Reflect.get(plugin, name) === 'function';
  const missing = (names: string[]) => names.filter((name) => !has(name)).join(', ');
  if (['has', 'read', 'write'].some(has)) {
    const absent = missing(DRIVER);
    if (absent !== '') throw new Error(`it looks like a storage driver, but has no method ${absent}`);
    const { list } = capabilitiesOf(Reflect.get(plugin, 'capabilities'));
    if (list && !has('list'))
      throw new Error('its capabilities say that it can list, but it has no method list');
    return plugin as StorageDriver;
  }
  if (SGLANG.some(has)) {
    const absent = missing(SGLANG);
    if (absent !== '')
      throw new Error(`it looks like a store in SGLang's shape, but has no method ${absent}`);
    return sglangDriver(plugin as SglangStore);
  }
  throw new Error(
    `it is no storage driver (${DRIVER.join(', ')}), and no store in SGLang's shape (${SGLANG.join(', ')})`,
  );
}

/** A copy; throws an error that says what is wrong. */
export function capabilitiesOf(given: unknown): Capabilities {
  const { batch, largestValue, list } = Object(given) as Partial<Record<string, unknown>>;
  if (!isCount(batch) || !isCount(largestValue) || typeof list !== 'boolean')
    throw new Error('its capabilities must be { batch: number, largestValue: number, list: boolean }');
  return { batch, largestValue, list };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
