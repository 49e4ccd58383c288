import { describe, test } from 'vitest';
import { type SuiteOptions, storageSuite } from '../../../src/storage-suite/index.ts';

/**
 * The contract of src/storage/driver.ts as tests: the exported suite, in vitest. Every driver passes them, and every
 * layer around every driver.
 *
 * @param make a new driver on an empty store, not open yet
 * @param more how to make drivers whose values expire, and drivers behind a proxy that fails
 */
export function conformance(
  name: string,
  make: SuiteOptions['make'],
  more: Omit<SuiteOptions, 'name' | 'make'> = {},
): void {
  storageSuite({ ...more, name: `${name} keeps the contract:`, make }, { describe, test });
}
