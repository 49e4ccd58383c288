import type { Failed, StorageErrorKind } from '../../driver.ts';
import { failed } from '../../results.ts';
import { messageOf } from '../file/file-errors.ts';

/** lmdb throws the texts of LMDB and of the system. */
const KINDS: [RegExp, StorageErrorKind][] = [
  [/No space left|Disk quota exceeded|MDB_MAP_FULL/, 'full'],
  [/Permission denied|Operation not permitted|Read-only file system/, 'denied'],
  [/MDB_CORRUPTED|MDB_PAGE_NOTFOUND/, 'corrupt'],
];

export function failedBy(error: unknown): Failed {
  const message = reasonOf(error);
  const [, kind] = KINDS.find(([pattern]) => pattern.test(message)) ?? [];
  return failed(kind ?? 'io', message);
}

export function reasonOf(error: unknown): string {
  return messageOf(error);
}
