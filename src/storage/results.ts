import { scatter, totalBytes } from './buffers.ts';
import type { Failed, Read, ReadResult, StorageErrorKind } from './driver.ts';

const ERROR_KINDS: Record<StorageErrorKind, true> = {
  aborted: true,
  timeout: true,
  closed: true,
  full: true,
  denied: true,
  size: true,
  corrupt: true,
  unreachable: true,
  io: true,
  skipped: true,
};

/** For answers of code that is not ours. */
export function isErrorKind(kind: unknown): kind is StorageErrorKind {
  return typeof kind === 'string' && Object.hasOwn(ERROR_KINDS, kind);
}

export function failed(kind: StorageErrorKind, message: string): Failed {
  return { status: 'error', error: { kind, message } };
}

/** The result of a read that found a value, which it copies into the read's buffers, and says so. */
export function hitWith(value: Uint8Array, { into, filled }: Read): ReadResult {
  scatter(value, into);
  if (value.byteLength > totalBytes(into)) return failed('size', 'The value does not fit into the buffers.');
  filled?.(value.byteLength);
  return { status: 'hit', bytes: value.byteLength };
}
