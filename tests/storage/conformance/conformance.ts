import { afterEach, describe } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { never } from '../support/calls.ts';
import { checkKeys } from './keys.ts';
import { checkLife } from './life.ts';
import { checkLists } from './lists.ts';
import { checkSignals } from './signals.ts';
import type { Stores } from './stores.ts';
import { checkValues } from './values.ts';

/**
 * The contract of src/storage/driver.ts as tests. Every driver passes them, and every layer around every driver.
 *
 * @param make a new driver on an empty store, not open yet
 */
export function conformance(name: string, make: Stores['make']): void {
  describe(`${name} keeps the contract:`, () => {
    let opened: StorageDriver[] = [];
    async function open(): Promise<StorageDriver> {
      const driver = await make();
      await driver.open(never);
      opened.push(driver);
      return driver;
    }
    afterEach(async () => {
      for (const driver of opened) await driver.close();
      opened = [];
    });
    const stores = { open, make };
    checkValues(stores);
    checkKeys(stores);
    checkSignals(stores);
    checkLists(stores);
    checkLife(stores);
  });
}
