import type { StorageDriver } from '../../src/storage/driver.ts';

/** A client as a program without TierKV would use it, with the fastest calls that it has. */
export interface BareClient {
  /** Writes values, all of these at once. Throws when one was not written. */
  write(keys: readonly string[], values: readonly Uint8Array[]): Promise<void>;
  /** Puts values where they are wanted, all of these at once. Throws when one is not there. */
  read(keys: readonly string[], into: readonly Uint8Array[]): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

/** A store, twice: through its driver and through its bare client. */
export interface Target {
  name: string;
  /** What the bare client is. */
  bareName: string;
  /** Open. */
  driver: StorageDriver;
  bare: BareClient;
  /** Ends what was started for it, the driver and the client too. */
  stop(): Promise<void>;
}
