import { type Decimal, toDecimal, ZERO } from './decimal.ts';
import { type FractionBounds, fraction, wholeNumbers } from './digit-ranges.ts';
import { choice, type Grammar, type Node, sequence, text } from './grammar.ts';
import { anyInteger, anyNumber, MAX_DIGITS } from './json-rules.ts';
import { numberAt, type Place, refuse, type SchemaObject } from './schema-place.ts';

interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

/** From here on doubles leave out whole numbers by the million, and their digits say little. */
const LARGEST = 1e21;
/** Digits that a double keeps apart: with more of them, a number just below 1 would be read as 1. */
const PRECISE_DIGITS = 15;

/**
 * Whole numbers within bounds, without point or exponent.
 * @throws `unsupported_schema`
 */
export function integerSchema(grammar: Grammar, schema: SchemaObject, place: Place): Node {
  const step = numberAt(schema, 'multipleOf', place);
  if (step !== undefined && step !== 1) refuse(place, "'multipleOf' is not supported");
  const { low, high } = boundsOf(schema, place);
  if (!low && !high) return anyInteger(grammar);
  const digits = Math.max(
    MAX_DIGITS,
    ...[low, high].map((bound) => (bound ? toDecimal(bound.value).whole.length + 1 : 0)),
  );
  const farthest = 10n ** BigInt(digits) - 1n;
  const min = low ? BigInt(low.exclusive ? Math.floor(low.value) : Math.ceil(low.value)) : -farthest;
  const max = high ? BigInt(high.exclusive ? Math.ceil(high.value) : Math.floor(high.value)) : farthest;
  // Not before the conversion: above 2^53, adding 1 to a double changes nothing.
  const first = low?.exclusive ? min + 1n : min;
  const last = high?.exclusive ? max - 1n : max;
  if (first > last) refuse(place, 'no whole number is within its bounds');
  const branches: Node[] = [];
  if (first < 0n) {
    branches.push(sequence(text('-'), grammar.rule(wholeNumbers(grammar, last < 0n ? -last : 1n, -first))));
  }
  if (last >= 0n) branches.push(grammar.rule(wholeNumbers(grammar, first > 0n ? first : 0n, last)));
  return choice(branches);
}

/**
 * Numbers within bounds; without any bound, also with an exponent.
 * @throws `unsupported_schema`
 */
export function numberSchema(grammar: Grammar, schema: SchemaObject, place: Place): Node {
  if (numberAt(schema, 'multipleOf', place) !== undefined) refuse(place, "'multipleOf' is not supported");
  const { low, high } = boundsOf(schema, place);
  if (!low && !high) return anyNumber(grammar);
  const branches: Node[] = [];
  if (!low || low.value < 0) {
    const start = high && high.value <= 0 ? absolute(high) : { ...ZERO, exclusive: true };
    const negative = magnitudes(grammar, start, low && absolute(low), place);
    if (negative) branches.push(sequence(text('-'), grammar.rule(negative)));
  }
  if (!high || high.value >= 0) {
    const start = low && low.value >= 0 ? absolute(low) : { ...ZERO, exclusive: false };
    const positive = magnitudes(grammar, start, high && absolute(high), place);
    if (positive) branches.push(grammar.rule(positive));
  }
  if (branches.length === 0) refuse(place, 'no number is within its bounds');
  return choice(branches);
}

type DecimalBound = Decimal & { readonly exclusive: boolean };

function absolute({ value, exclusive }: Bound): DecimalBound {
  return { ...toDecimal(value), exclusive };
}

/** Numbers of zero or more from `low` to `high`; `undefined` if there is none. */
function magnitudes(
  grammar: Grammar,
  low: DecimalBound,
  high: DecimalBound | undefined,
  place: Place,
): Node | undefined {
  const wholeDigits = Math.max(low.whole.length, high?.whole.length ?? 0);
  const room = Math.max(1, PRECISE_DIGITS - wholeDigits);
  for (const bound of [low, high]) {
    if (bound && bound.fraction.length > room) refuse(place, 'a bound has too many digits');
  }
  const last = high ? BigInt(high.whole) : 10n ** BigInt(Math.max(MAX_DIGITS, wholeDigits + 1)) - 1n;
  const first = BigInt(low.whole);
  const lowEdge = { digits: low.fraction, exclusive: low.exclusive };
  const highEdge = high && { digits: high.fraction, exclusive: high.exclusive };
  const branches: Node[] = [];
  const add = (from: bigint, to: bigint, bounds: FractionBounds) => {
    if (from > to) return;
    const digits = fraction(grammar, bounds, room);
    if (digits) branches.push(sequence(grammar.rule(wholeNumbers(grammar, from, to)), digits));
  };
  if (first === last) {
    add(first, first, { low: lowEdge, high: highEdge });
  } else if (first < last) {
    add(first, first, { low: lowEdge });
    add(first + 1n, high ? last - 1n : last, {});
    if (high) add(last, last, { high: highEdge });
  }
  return branches.length > 0 ? choice(branches) : undefined;
}

function boundsOf(schema: SchemaObject, place: Place): { low: Bound | undefined; high: Bound | undefined } {
  const bound = (key: string, exclusive: boolean): Bound | undefined => {
    const value = numberAt(schema, key, place);
    if (value === undefined) return undefined;
    if (Math.abs(value) > LARGEST) refuse(place, `'${key}' is too large`);
    return { value, exclusive };
  };
  const low = stricter(bound('minimum', false), bound('exclusiveMinimum', true), (a, b) => a > b);
  const high = stricter(bound('maximum', false), bound('exclusiveMaximum', true), (a, b) => a < b);
  if (
    low &&
    high &&
    (low.value > high.value || (low.value === high.value && (low.exclusive || high.exclusive)))
  ) {
    refuse(place, 'no number is within its bounds');
  }
  return { low, high };
}

function stricter(
  inclusive: Bound | undefined,
  exclusive: Bound | undefined,
  beats: (a: number, b: number) => boolean,
): Bound | undefined {
  if (!inclusive || !exclusive) return inclusive ?? exclusive;
  return beats(inclusive.value, exclusive.value) ? inclusive : exclusive;
}
