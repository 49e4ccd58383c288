import type { Failed, StorageErrorKind } from '../../driver.ts';
import { failed } from '../../results.ts';

const KINDS = new Map<string, StorageErrorKind>([
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['EACCES', 'denied'],
  ['EPERM', 'denied'],
  ['EROFS', 'denied'],
  // Of file systems over a network.
  ['ENOTCONN', 'unreachable'],
  ['ESTALE', 'unreachable'],
]);

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
}

export function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** With another path in it: a part of one may be a part of a secret, which is found as a whole only. */
export function messageInstead(error: unknown, path: string): string {
  const message = messageOf(error);
  const named = error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : '';
  return named === '' ? message : message.replaceAll(named, path);
}

export function failedBy(error: unknown): Failed {
  return failed(KINDS.get(codeOf(error) ?? '') ?? 'io', messageOf(error));
}
