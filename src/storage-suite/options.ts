import type { StorageDriver } from '../storage/driver.ts';

/** The groups of cases, in the order in which they are run. */
export const GROUPS = [
  'basic',
  'batch',
  'large values',
  'keys',
  'overwrite',
  'concurrency',
  'list',
  'clear',
  'ttl',
  'lifecycle',
  'abort',
  'buffers',
  'faults',
] as const;

export type GroupName = (typeof GROUPS)[number];

export interface Address {
  host: string;
  port: number;
}

/** What the suite is told about a driver. */
export interface SuiteOptions {
  /** What the driver is called in the names of tests and in the report. */
  name: string;
  /** A new driver, not open yet, on a store that is empty and nobody else’s. Called for every case. */
  make(): StorageDriver | Promise<StorageDriver>;
  /** The same, with values that expire so many seconds after they were last written or read. For the group `ttl`. */
  makeExpiring?(seconds: number): StorageDriver | Promise<StorageDriver>;
  /**
   * The same, reaching its store through a proxy that can fail. For the group `faults`.
   *
   * @param proxy starts one in front of an address, which gives the address to use instead. To be called for every
   *   server of the store
   */
  makeThrough?(proxy: (upstream: Address) => Promise<Address>): StorageDriver | Promise<StorageDriver>;
  /** Groups that are not run, each with the reason, a sentence for the report. */
  skip?: Partial<Record<GroupName, string>>;
  /** The longest that one case may take, in milliseconds, before it has failed. 60 000 where it is absent. */
  limitMs?: number;
}

export const DEFAULT_LIMIT_MS = 60_000;

/** Why a group is not run at all, where the options say so. */
export function whySkipped(group: GroupName, options: SuiteOptions): string | undefined {
  const given = options.skip?.[group];
  if (given !== undefined) return given;
  if (group === 'faults' && !options.makeThrough)
    return "No 'makeThrough' is given: the driver cannot be put behind a proxy.";
  return undefined;
}
