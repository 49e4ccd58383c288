import { between, choice, EMPTY, type Grammar, type Node, sequence, text } from './grammar.ts';
import { optional, repeated } from './repetition.ts';

/** Texts made of digits: those with at least one digit, if any, and whether nothing at all is one as well. */
interface Digits {
  some: Node | undefined;
  none: boolean;
}

/** Whole numbers from `low` to `high` without zeros in front. Both are zero or more, and `low <= high`. */
export function wholeNumbers(grammar: Grammar, low: bigint, high: bigint): Node {
  const from = low.toString();
  const to = high.toString();
  if (from.length === to.length) return sameLength(grammar, from, to);
  const branches = [sameLength(grammar, from, '9'.repeat(from.length))];
  if (to.length - from.length > 1) {
    branches.push(sequence(between('1', '9'), digits(grammar, from.length, to.length - 2)));
  }
  branches.push(sameLength(grammar, `1${'0'.repeat(to.length - 1)}`, to));
  return choice(branches);
}

function sameLength(grammar: Grammar, low: string, high: string): Node {
  const rest = low.length - 1;
  const [lowest, highest] = [Number(low[0]), Number(high[0])];
  if (rest === 0) return digit(lowest, highest);
  if (lowest === highest)
    return sequence(digit(lowest, lowest), sameLength(grammar, low.slice(1), high.slice(1)));
  const startsLow = /^0*$/.test(low.slice(1));
  const endsHigh = /^9*$/.test(high.slice(1));
  const branches: Node[] = [];
  if (!startsLow) {
    branches.push(sequence(digit(lowest, lowest), sameLength(grammar, low.slice(1), '9'.repeat(rest))));
  }
  const [first, last] = [startsLow ? lowest : lowest + 1, endsHigh ? highest : highest - 1];
  if (first <= last) branches.push(sequence(digit(first, last), digits(grammar, rest, rest)));
  if (!endsHigh) {
    branches.push(sequence(digit(highest, highest), sameLength(grammar, '0'.repeat(rest), high.slice(1))));
  }
  return choice(branches);
}

/** Bounds of the digits after a point; `undefined` stands for no bound. */
export interface FractionBounds {
  low?: { digits: string; exclusive: boolean } | undefined;
  high?: { digits: string; exclusive: boolean } | undefined;
}

/**
 * What may follow a whole number: nothing, or a point with up to `room` digits, so that 0.digits is within the
 * bounds. `undefined` if there is no such text.
 */
export function fraction(grammar: Grammar, bounds: FractionBounds, room: number): Node | undefined {
  const { some, none } = inBounds(grammar, bounds, room);
  if (!some) return none ? EMPTY : undefined;
  const withPoint = sequence(text('.'), some);
  return none ? optional(withPoint) : withPoint;
}

function inBounds(grammar: Grammar, { low: given, high }: FractionBounds, room: number): Digits {
  const low = given && (given.digits !== '' || given.exclusive) ? given : undefined;
  const lowDigits = low?.digits ?? '';
  const highDigits = high?.digits ?? '';
  const aboveZero = low?.exclusive === true;
  const none = lowDigits === '' && !aboveZero && !(high && highDigits === '' && high.exclusive);
  if (lowDigits === '' && !aboveZero && !high)
    return { some: room > 0 ? digits(grammar, 1, room) : undefined, none };
  if (room === 0) return { some: undefined, none };
  if (high && highDigits === '') {
    // Zero is the only value left below the upper bound, and it satisfies the lower one or nothing does.
    return { some: none ? repeated(grammar, text('0'), 1, room) : undefined, none };
  }
  const lowest = Number(lowDigits[0] ?? 0);
  const highest = high ? Number(highDigits[0]) : 9;
  const restOfLow = low && { digits: lowDigits.slice(1), exclusive: low.exclusive };
  const restOfHigh = high && { digits: highDigits.slice(1), exclusive: high.exclusive };
  const branches: Node[] = [];
  const add = (value: number, bounds: FractionBounds) => {
    const rest = inBounds(grammar, bounds, room - 1);
    const first = digit(value, value);
    if (rest.some) branches.push(sequence(first, rest.none ? optional(rest.some) : rest.some));
    else if (rest.none) branches.push(first);
  };
  if (lowest === highest) {
    add(lowest, { low: restOfLow, high: restOfHigh });
  } else {
    if (low) add(lowest, { low: restOfLow });
    const [first, last] = [low ? lowest + 1 : lowest, high ? highest - 1 : highest];
    if (first <= last) branches.push(sequence(digit(first, last), digits(grammar, 0, room - 1)));
    if (high) add(highest, { high: restOfHigh });
  }
  return { some: branches.length > 0 ? choice(branches) : undefined, none };
}

function digit(first: number, last: number): Node {
  return first === last ? text(String(first)) : between(String(first), String(last));
}

function digits(grammar: Grammar, min: number, max: number): Node {
  return repeated(grammar, between('0', '9'), min, max);
}
