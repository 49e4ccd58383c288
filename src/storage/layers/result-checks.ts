import { totalBytes } from '../buffers.ts';
import type { Failed, Read, ReadResult } from '../driver.ts';

/** Whether a driver's answer for one key is one of these, or a failure as the contract has it. */
export function isOneOf<S extends string>(...statuses: S[]) {
  return (result: unknown): result is { status: S } | Failed => {
    if (typeof result !== 'object' || result === null || !('status' in result)) return false;
    if (result.status === 'error') return isFailed(result);
    return (statuses as unknown[]).includes(result.status);
  };
}

function isFailed(result: object): result is Failed {
  const error: unknown = 'error' in result ? result.error : undefined;
  return (
    typeof error === 'object' &&
    error !== null &&
    'kind' in error &&
    typeof error.kind === 'string' &&
    'message' in error &&
    typeof error.message === 'string'
  );
}

export function isReadResult(reads: readonly Read[]) {
  const known = isOneOf('hit', 'miss');
  return (result: unknown, index: number): result is ReadResult => {
    if (!known(result)) return false;
    if (result.status !== 'hit') return true;
    const bytes: unknown = 'bytes' in result ? result.bytes : undefined;
    const room = totalBytes(reads[index]?.into ?? []);
    return Number.isInteger(bytes) && Number(bytes) >= 0 && Number(bytes) <= room;
  };
}
