import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grammarOf, randomFrom } from './grammar-of.ts';

interface Bounds {
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

function within(value: number, bounds: Bounds): boolean {
  return (
    value >= (bounds.minimum ?? -Infinity) &&
    value <= (bounds.maximum ?? Infinity) &&
    value > (bounds.exclusiveMinimum ?? -Infinity) &&
    value < (bounds.exclusiveMaximum ?? Infinity)
  );
}

/** Bounds that are close to each other more often than not, in any combination that some number satisfies. */
function boundsOf(number: fc.Arbitrary<number>): fc.Arbitrary<Bounds> {
  return fc
    .record({
      a: number,
      b: number,
      low: fc.constantFrom('minimum', 'exclusiveMinimum', ''),
      high: fc.constantFrom('maximum', 'exclusiveMaximum', ''),
    })
    .map(({ a, b, low, high }) => {
      const bounds: Record<string, number> = {};
      if (low) bounds[low] = Math.min(a, b);
      if (high) bounds[high] = Math.max(a, b);
      return bounds;
    });
}

const small = fc.integer({ min: -1200, max: 1200 });
const decimal = fc.oneof(
  small,
  fc.record({ whole: small, scale: fc.constantFrom(10, 100, 1000) }).map(({ whole, scale }) => whole / scale),
);

describe('integers', () => {
  test('within any bounds are taken, others are not', () => {
    fc.assert(
      fc.property(
        boundsOf(decimal),
        fc.integer({ min: -1300, max: 1300 }),
        fc.nat(),
        (bounds, probe, seed) => {
          fc.pre(hasInteger(bounds));
          const grammar = grammarOf({ type: 'integer', ...bounds });
          const near = Object.values(bounds).flatMap((bound) => [
            Math.floor(bound),
            Math.ceil(bound),
            Math.floor(bound) - 1,
            Math.ceil(bound) + 1,
          ]);
          for (const value of [probe, 0, ...near]) {
            expect(grammar.accepts(JSON.stringify(value)), String(value)).toBe(within(value, bounds));
          }
          const random = randomFrom(seed);
          for (let count = 0; count < 10; count++) {
            const value = JSON.parse(grammar.sample(random)) as number;
            expect(Number.isInteger(value) && within(value, bounds), String(value)).toBe(true);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('may have the bounds that generators write for safe integers, and larger ones', () => {
    const safe = grammarOf({ type: 'integer', minimum: -9007199254740991, maximum: 9007199254740991 });
    for (const [text, valid] of [
      ['9007199254740991', true],
      ['9007199254740992', false],
      ['-9007199254740991', true],
      ['-9007199254740992', false],
      ['-0', false],
      ['00', false],
      ['123456789', true],
    ] as const) {
      expect(safe.accepts(text), text).toBe(valid);
    }
    const long = grammarOf({ type: 'integer', exclusiveMinimum: 2 ** 63 });
    expect(long.accepts('9223372036854775808')).toBe(false);
    expect(long.accepts('9223372036854775809')).toBe(true);
  });
});

describe('numbers', () => {
  test('within any bounds are taken, others are not', () => {
    fc.assert(
      fc.property(boundsOf(decimal), decimal, fc.nat(), (bounds, probe, seed) => {
        fc.pre(hasNumber(bounds));
        const grammar = grammarOf({ type: 'number', ...bounds });
        const near = Object.values(bounds).flatMap((bound) => [
          bound,
          ...[0.5, -0.5, 0.001, -0.001].map((step) => Number((bound + step).toFixed(3))),
        ]);
        for (const value of [probe, 0, ...near]) {
          fc.pre(Object.keys(bounds).length > 0 || Number.isFinite(value));
          expect(grammar.accepts(JSON.stringify(value)), String(value)).toBe(within(value, bounds));
        }
        const random = randomFrom(seed);
        for (let count = 0; count < 10; count++) {
          const text = grammar.sample(random);
          expect(within(JSON.parse(text) as number, bounds), text).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('from 0 to 1', () => {
    const grammar = grammarOf({ type: 'number', minimum: 0, maximum: 1 });
    for (const text of ['0', '1', '0.5', '1.0', '0.000', '0.999999'])
      expect(grammar.accepts(text), text).toBe(true);
    for (const text of ['1.01', '2', '-0.1', '.5', '1e5', '00.5', '0.'])
      expect(grammar.accepts(text), text).toBe(false);
  });

  test('between tiny and fractional bounds', () => {
    const grammar = grammarOf({ type: 'number', exclusiveMinimum: 1e-7, maximum: 0.125 });
    for (const text of ['0.00000011', '0.125', '0.1250', '0.1'])
      expect(grammar.accepts(text), text).toBe(true);
    for (const text of ['0.0000001', '0.1251', '0', '0.13']) expect(grammar.accepts(text), text).toBe(false);
  });
});

function hasInteger(bounds: Bounds): boolean {
  const low = Math.max(bounds.minimum ?? -1e9, Math.floor(bounds.exclusiveMinimum ?? -1e9) + 1);
  const high = Math.min(bounds.maximum ?? 1e9, Math.ceil(bounds.exclusiveMaximum ?? 1e9) - 1);
  return Math.ceil(low) <= Math.floor(high);
}

function hasNumber(bounds: Bounds): boolean {
  const low = bounds.minimum ?? bounds.exclusiveMinimum ?? -Infinity;
  const high = bounds.maximum ?? bounds.exclusiveMaximum ?? Infinity;
  return (
    low < high ||
    (low === high && bounds.exclusiveMinimum === undefined && bounds.exclusiveMaximum === undefined)
  );
}
