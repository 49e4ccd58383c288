import type { KeyedOperation, Read } from '../storage/driver.ts';
import { isErrorKind } from '../storage/results.ts';
import { fail } from './expect.ts';

const STATUSES: Record<KeyedOperation, readonly string[]> = {
  has: ['hit', 'miss'],
  read: ['hit', 'miss'],
  write: ['stored', 'exists'],
  remove: ['removed', 'miss'],
};

/** Throws unless a call's answer is one result per key, each as driver.ts has them. */
export function expectResults(
  operation: KeyedOperation,
  items: readonly unknown[],
  results: unknown,
): asserts results is object[] {
  if (!Array.isArray(results)) fail(`${operation} answered with something else than an array`);
  if (results.length !== items.length)
    fail(`${operation} gave ${results.length} answers for ${items.length} keys`);
  results.forEach((result: unknown, i) => {
    const wrong = whatIsWrong(operation, items[i], result);
    if (wrong) fail(`${operation} answered for key ${i + 1} of ${items.length} ${wrong}`);
  });
}

function whatIsWrong(operation: KeyedOperation, item: unknown, result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null || !('status' in result)) return 'with no result';
  const { status } = result;
  if (status === 'error') return whatIsWrongWithError(result);
  if (!STATUSES[operation].includes(status as string)) return `with the status ${String(status)}`;
  if (operation !== 'read' || status !== 'hit') return undefined;
  const bytes: unknown = 'bytes' in result ? result.bytes : undefined;
  const room = (item as Read).into.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const isGood = Number.isInteger(bytes) && Number(bytes) >= 0 && Number(bytes) <= room;
  return isGood ? undefined : `with a hit of ${String(bytes)} bytes in buffers of ${room}`;
}

function whatIsWrongWithError(result: object): string | undefined {
  const error: unknown = 'error' in result ? result.error : undefined;
  if (typeof error !== 'object' || error === null) return 'with an error without its error';
  const { kind, message } = error as { kind?: unknown; message?: unknown };
  if (!isErrorKind(kind)) return `with the error kind ${String(kind)}`;
  if (typeof message !== 'string' || message === '') return `with a ${kind} error without a message`;
  const settled: unknown = 'settled' in result ? result.settled : undefined;
  if (settled !== undefined && !(settled instanceof Promise)) return 'with settled that is no promise';
  return undefined;
}
