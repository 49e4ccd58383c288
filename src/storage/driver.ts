/**
 * What a storage driver is. This file is the specification; the conformance suite (`tierkv/storage-suite`) checks it, on
 * every driver alone and inside every layer.
 *
 * A driver stores opaque values under keys. It is a plain value: it has no life of its own, knows no models and no
 * pages, and starts nothing that its calls do not wait for, except what {@link StorageDriver.close} ends. What is the
 * same for every store (namespaces, checksums, deadlines, a breaker) is a layer: a function from driver to driver.
 *
 * **Calls.** They take batches and answer with one result per key, in the order of the keys. A key's failure is a
 * result: `has`, `read`, `write` and `remove` never reject. Where the driver is not open, every key fails with kind
 * `closed`. Calls may run at the same time, on the same keys too. Whoever calls keeps to {@link Capabilities.batch} and
 * names no key twice in one call.
 *
 * **Values.** Whoever reads a key gets the value of one write, whole. A write that answers `stored` is found by every
 * later call, on this server or another one of the same store, until it is removed, overwritten, evicted by the store,
 * or expired. A key always stands for the same value, as far as callers mean it: a driver may leave alone what is there.
 *
 * **Buffers.** Every one is the caller's, before, during and after a call. A driver keeps none, copies from or into them
 * within the call, and never changes what it writes from.
 *
 * **Ends.** A call ends soon after its signal aborts; keys without an answer by then fail with kind `aborted`.
 * Afterwards it does not touch the caller's buffers any more, except those of a failure that says so in
 * {@link Failed.settled}. Deadlines are a layer's: a driver need not time anything, but must hear its signal.
 *
 * **Again.** Every call may be made again after any failure: reads and looks change nothing, a second write of the same
 * value and a second removal leave what the first one left. After `aborted` and `timeout` a write may have happened or
 * not. A driver repeats only what its client repeats within the call without the caller's noticing; when a connection is
 * lost it makes a new one for the next call, by itself, however long the store was away.
 *
 * **Not in it**, on purpose: parts of a value, since a page is read whole or not at all; transactions, locks and
 * ordering between keys, since each page is checked by itself; times to live per key, since a page is as good later; the
 * time of last use, which is the store's own matter; and anything said about a value but its bytes.
 */
export interface StorageDriver {
  /** The factory's name of it, such as `file`. */
  readonly name: string;
  readonly capabilities: Readonly<Capabilities>;
  /**
   * Makes it ready; no other call comes before. Throws `storage_failed` when it cannot, with a reason that names the
   * option to change and no secret. A client library is loaded here, not before.
   */
  open(signal: AbortSignal): Promise<void>;
  /** Lets everything go, for good, also when {@link open} has not ended. Calls that still run fail with kind `closed`. Never throws. */
  close(): Promise<void>;
  /** Whether values are there now. Changes nothing. */
  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]>;
  /**
   * Reads values into the callers' buffers. After a failure of kind `size` they hold the value's beginning, as much as
   * fits; after anything else but a `hit`, they hold anything.
   */
  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]>;
  /** Writes values. Whoever reads a key sees the old value or the new one, never a mixture. */
  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]>;
  /** Removes values. */
  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]>;
  /**
   * One portion of all keys, in any order; `cursor` is undefined at first, then what the last portion gave as `next`.
   * Keys written or removed meanwhile may come or not; no other key comes twice or is left out. Throws
   * `storage_failed`. Absent where `capabilities.list` is false.
   */
  list?(cursor: string | undefined, signal: AbortSignal): Promise<Listing>;
  /** What it holds; undefined while that is not known without asking far. */
  usage?(): Usage | undefined;
}

export interface Capabilities {
  /** Keys in one call, at most. */
  batch: number;
  /** Bytes of one value, at most. */
  largestValue: number;
  list: boolean;
  /** Seconds after which a value leaves by itself, since it was last written or read. Absent where it stays. */
  ttl?: number;
}

export interface Read {
  /**
   * Names with `/` between them, at most 200 characters in all. A name is of `a-z`, `0-9`, `.`, `_` and `-`, and does
   * not begin with `.`. Another key fails with kind `io`.
   */
  key: string;
  /** Filled one after the other. Together at least as long as the value, or the read is an error of kind `size`. */
  into: readonly Uint8Array[];
  /**
   * A driver may call it with the value's length as soon as the buffers hold the value, before it answers: whoever
   * looks at them then finds them in the processor's cache. A driver that did leaves them as they are, or does not
   * answer with a hit. Must not throw.
   */
  filled?: (bytes: number) => void;
}

export interface Write {
  key: string;
  /** The value is these, one after the other. */
  parts: readonly Uint8Array[];
}

export type StorageErrorKind =
  /** The signal of the call. */
  | 'aborted'
  /** A deadline. */
  | 'timeout'
  /** The driver is not open: not yet, or not any more. */
  | 'closed'
  /** No room, and none could be made. */
  | 'full'
  /** Not allowed to. */
  | 'denied'
  /** The value does not fit into the buffers, or is larger than the store takes. */
  | 'size'
  /** What was stored is not what was written. */
  | 'corrupt'
  /** The store cannot be reached. */
  | 'unreachable'
  /** The store was not asked: the breaker is open. */
  | 'skipped'
  /** Anything else. */
  | 'io';

/** Why one key failed. The message names no secret. */
export interface StorageError {
  kind: StorageErrorKind;
  message: string;
}

export type HasResult = Hit | Miss | Failed;
export type ReadResult = (Hit & { bytes: number }) | Miss | Failed;
/** `exists`: the same key was there and was left alone, which a store of content-addressed values may do. */
export type WriteResult = { status: 'stored' } | { status: 'exists' } | Failed;
export type RemoveResult = { status: 'removed' } | Miss | Failed;

interface Hit {
  status: 'hit';
}
interface Miss {
  status: 'miss';
}
export interface Failed {
  status: 'error';
  error: StorageError;
  /**
   * Present where the answer came before the store had let go of the caller's buffers, as after a deadline: resolves
   * when it has, never rejects, and never resolves while the store hangs. Until then the buffers must not be used.
   */
  settled?: Promise<void>;
}

export interface Listing {
  keys: string[];
  /** Of the value of each key, where the store tells them with their names. */
  bytes?: number[];
  next: string | undefined;
}

export interface Usage {
  usedBytes: number;
  quotaBytes: number | undefined;
  /** Values that could not be removed when room was needed. */
  stuckValues: number;
}

/** The calls that take keys. */
export type KeyedOperation = 'has' | 'read' | 'write' | 'remove';

/** A driver around another one, with the same contract. */
export type StorageLayer = (driver: StorageDriver) => StorageDriver;
