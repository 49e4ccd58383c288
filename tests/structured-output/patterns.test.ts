import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grammarOf, randomFrom } from './grammar-of.ts';

const ZOD_EMAIL =
  "^(?:[A-Za-z0-9_'+\\-]+\\.)*[A-Za-z0-9_'+\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";

const PATTERNS = [
  '^abc$',
  '^[a-c]{2,4}$',
  '^(?:a|bc|d?e)+$',
  '^\\d{3}-\\d{4}$',
  '^[^"\\\\\\n]*$',
  '^["\\\\/\\n\\t]{1,3}$',
  '^\\w+(?:\\.\\w+)*$',
  '^\\S+\\s\\D\\W$',
  '^[\\w.-]{1,5}@[a-z]{1,70}$',
  '^.{0,3}$',
  '^a{2}b{1,}c{0,2}?d*?e+?$',
  '^\\u00e9[\\x41-\\x43]\\u{1f600}$',
  '^😀[😀-😂]$',
  '^(?<year>\\d{4})$',
  '^a|b$',
  'ab+',
  '^x',
  'y$',
  '^$',
  '',
  '^[-a]{2}[a-]{2}[\\]^]$',
  '^[\\b]$',
  '^[^]$',
  ZOD_EMAIL,
];

describe('a pattern', () => {
  test.each(PATTERNS)('%s: the grammar takes matches only', (pattern) => {
    const grammar = grammarOf({ type: 'string', pattern });
    const expected = new RegExp(pattern, 'u');
    const random = randomFrom(7);
    for (let count = 0; count < 60; count++) {
      const text = JSON.parse(grammar.sample(random)) as string;
      expect(expected.test(text), text).toBe(true);
    }
  });

  test.each(PATTERNS)('%s: the grammar takes what matches and nothing else', (pattern) => {
    const grammar = grammarOf({ type: 'string', pattern });
    const expected = new RegExp(pattern, 'u');
    const letters = fc.constantFrom(...'abcdexy019-.@_ "\\/\n\té😀AB]^', '\b');
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: letters, maxLength: 8 }), matching(expected)), (text) => {
        // Control characters without a short escape are left out on purpose.
        fc.pre(!/\\u/.test(JSON.stringify(text)));
        expect(grammar.accepts(JSON.stringify(text)), text).toBe(expected.test(text));
      }),
      { numRuns: 80 },
    );
  });

  test('with lengths that it has anyway', () => {
    expect(grammarOf({ pattern: '^[a-z]{2,4}$', minLength: 1, maxLength: 4 }).accepts('"abc"')).toBe(true);
    expect(grammarOf({ pattern: 'ab', minLength: 2 }).accepts('"xabx"')).toBe(true);
  });

  test('spells out a format beside it', () => {
    expect(grammarOf({ type: 'string', format: 'email', pattern: ZOD_EMAIL }).accepts('"a.b@c.org"')).toBe(
      true,
    );
  });
});

/** Not every expression can be turned into strings by fast-check; those that cannot are short. */
function matching(pattern: RegExp): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(pattern);
  } catch {
    return fc.constantFrom('', '\b', 'b', 'ab');
  }
}

describe('a format', () => {
  const FORMATS: Record<string, { valid: string[]; invalid: string[] }> = {
    date: {
      valid: ['2024-02-29', '2000-02-29', '1999-12-31', '2023-04-30'],
      invalid: [
        '2023-02-29',
        '1900-02-29',
        '2023-13-01',
        '2023-00-10',
        '2023-04-31',
        '2023-1-01',
        '23-01-01',
        '',
      ],
    },
    time: {
      valid: ['00:00:00Z', '23:59:59.123+05:30', '12:00:00-00:00'],
      invalid: ['24:00:00Z', '12:60:00Z', '12:00Z', '12:00:00', '12:00:00.Z'],
    },
    'date-time': {
      valid: ['2024-02-29T23:59:59Z', '2023-01-01T00:00:00.5+01:00'],
      invalid: ['2023-02-29T00:00:00Z', '2023-01-01 00:00:00Z', '2023-01-01T00:00:00', '2023-01-01'],
    },
    duration: {
      valid: ['P1D', 'PT1H', 'P1Y2M3DT4H5M6S', 'P3W', 'PT36H', 'P1M', 'PT1M'],
      invalid: ['P', 'PT', 'P1', '1D', 'P1DT', 'P1H', 'P1W1D', 'P1Y1D', 'PT1H1S'],
    },
    email: {
      valid: ['a@b.co', "first.last+tag'x@sub.example.org"],
      invalid: ['a', '@b.co', 'a@b', 'a@@b.co', '.a@b.co', 'a.@b.co', 'a..b@c.co', 'a@-b.co', 'a b@c.co'],
    },
    hostname: {
      valid: ['localhost', 'a-b.example.org', 'xn--bcher-kva.example', '1.a'],
      invalid: ['', '-a', 'a-', 'a..b', '.a', 'a_b'],
    },
    ipv4: {
      valid: ['0.0.0.0', '255.255.255.255', '192.168.1.10'],
      invalid: ['256.1.1.1', '1.1.1', '01.1.1.1', '1.1.1.1.1', '1.1.1.'],
    },
    ipv6: {
      valid: [
        '::',
        '::1',
        '1::',
        '2001:db8::8a2e:370:7334',
        '1:2:3:4:5:6:7:8',
        '1:2:3:4:5:6:7::',
        'fe80::1:2',
      ],
      invalid: ['', ':', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', ':1', '1:', 'g::'],
    },
    uuid: {
      valid: ['123e4567-e89b-12d3-a456-426614174000', '00000000-0000-0000-0000-000000000000'],
      invalid: ['123e4567e89b12d3a456426614174000', '123e4567-e89b-12d3-a456-42661417400', 'x'],
    },
  };

  test.each(Object.entries(FORMATS))('%s', (format, { valid, invalid }) => {
    const grammar = grammarOf({ type: 'string', format });
    for (const text of valid) expect(grammar.accepts(JSON.stringify(text)), text).toBe(true);
    for (const text of invalid) expect(grammar.accepts(JSON.stringify(text)), text).toBe(false);
  });

  test('of names has room for 253 characters at most', () => {
    const random = randomFrom(3);
    const grammar = grammarOf({ type: 'string', format: 'hostname', maxLength: 253 });
    for (let count = 0; count < 50; count++) expect(grammar.sample(random).length).toBeLessThanOrEqual(255);
    expect(grammarOf({ type: 'string', format: 'email', maxLength: 254 }).accepts('"a@b.co"')).toBe(true);
  });
});
