import { type ErrorCode, type ErrorParams, failure } from './errors.ts';

/**
 * The promise's result, or a failure from the table when it takes longer. The work itself is not stopped:
 * what it was given an AbortSignal for, the caller aborts.
 */
export async function withDeadline<T, C extends ErrorCode>(
  work: Promise<T>,
  milliseconds: number,
  code: C,
  params: ErrorParams<C>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(failure(code, params)), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
