import type { Failed, StorageErrorKind } from './driver.ts';

export function failed(kind: StorageErrorKind, message: string): Failed {
  return { status: 'error', error: { kind, message } };
}
