import { AssertionError } from 'node:assert/strict';
import { inspect, isDeepStrictEqual } from 'node:util';
import { outcome } from './calls.ts';

/** What a driver did instead of what the contract has, in a line. */
export function fail(message: string): never {
  throw new AssertionError({ message });
}

export function expect(holds: boolean, otherwise: string): asserts holds {
  if (!holds) fail(otherwise);
}

/** @param what the beginning of a sentence, such as `has answered` */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const message = `${what} ${show(actual)} instead of ${show(expected)}`;
  throw new AssertionError({ message, actual, expected });
}

interface Outcome {
  status: string;
  error?: { kind: string; message?: string };
}

/** Answers of a call, as {@link outcome} has them, in order. */
export function expectOutcomes(results: readonly Outcome[], expected: readonly string[], what: string): void {
  const actual = results.map(outcome);
  expectEqual(actual.length, expected.length, `${what} gave so many answers:`);
  const at = actual.findIndex((word, i) => word !== expected[i]);
  if (at === -1) return;
  const why = reason(results[at]);
  const message = `${what} answered ${actual[at]}${why} instead of ${expected[at]} for key ${at + 1} of ${actual.length}`;
  throw new AssertionError({ message, actual, expected: [...expected] });
}

/** One answer for each key, each of them one of these. */
export function expectOneOf(
  results: readonly Outcome[],
  count: number,
  allowed: readonly string[],
  what: string,
): void {
  expectEqual(results.length, count, `${what} gave so many answers:`);
  const wrong = results.find((result) => !allowed.includes(outcome(result)));
  if (!wrong) return;
  const why = reason(wrong);
  fail(`${what} answered ${outcome(wrong)}${why}, which is none of ${allowed.join(', ')}`);
}

function reason(result: Outcome | undefined): string {
  return result?.error?.message ? ` (${result.error.message})` : '';
}

/** @param what the beginning of a sentence, such as `the value that was read` */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array, what: string): void {
  expect(actual !== undefined, `${what} is not there`);
  if (Buffer.compare(actual, expected) === 0) return;
  if (actual.byteLength !== expected.byteLength)
    fail(`${what} has ${actual.byteLength} bytes instead of ${expected.byteLength}`);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  fail(
    `${what} is wrong from byte ${at} of ${expected.byteLength} on: ${actual[at]} instead of ${expected[at]}`,
  );
}

/** That nothing has touched a buffer since it was filled with one byte. */
export function expectFilled(buffer: Uint8Array, byte: number, what: string): void {
  const at = buffer.findIndex((each) => each !== byte);
  if (at !== -1) fail(`${what} was changed at byte ${at} of ${buffer.byteLength}`);
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 12 });
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}
