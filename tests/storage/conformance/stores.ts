import type { StorageDriver } from '../../../src/storage/driver.ts';

/** Where the conformance suite gets its drivers from. */
export interface Stores {
  /** A driver on an empty store, open; closed after the test. */
  open(): Promise<StorageDriver>;
  /** The same, not open yet. Who opens it closes it. */
  make(): StorageDriver | Promise<StorageDriver>;
}
