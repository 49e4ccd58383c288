import { scatter, totalBytes } from './buffers.ts';
import type { Failed, Read, ReadResult, StorageErrorKind } from './driver.ts';

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
