/** The conformance suite for storage drivers, the proxy that it breaks connections with, and the contract's types. */

export type {
  Capabilities,
  Failed,
  HasResult,
  Listing,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  StorageError,
  StorageErrorKind,
  StorageLayer,
  Usage,
  Write,
  WriteResult,
} from '../storage/driver.ts';
export { FaultProxy, type FaultProxyOptions } from './fault-proxy/fault-proxy.ts';
export type { Stream, Toxic, ToxicAttributes, ToxicType } from './fault-proxy/toxics.ts';
export type { Address, GroupName, SuiteOptions } from './options.ts';
export { type CaseReport, formatReport, type SuiteReport } from './report.ts';
export { runStorageSuite } from './run.ts';
export { storageSuite, type TestRunner } from './suite.ts';
