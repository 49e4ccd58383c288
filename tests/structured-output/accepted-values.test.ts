import { describe, expect, test } from 'vitest';
import { jsonObjectGrammar } from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { grammarOf, readGrammar } from './grammar-of.ts';

interface Row {
  name: string;
  schema: unknown;
  valid: unknown[];
  invalid: unknown[];
}

const PERSON = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };

const ROWS: Row[] = [
  {
    name: 'an empty schema takes any value',
    schema: {},
    valid: [1, 'a', null, [], {}, [[{ a: [true] }]]],
    invalid: [],
  },
  { name: 'true takes any value', schema: true, valid: [0, -1.5e10, 'é"\\\n'], invalid: [] },
  { name: 'types', schema: { type: 'boolean' }, valid: [true, false], invalid: [0, 'true', null] },
  {
    name: 'lists of types',
    schema: { type: ['string', 'null'] },
    valid: ['', null],
    invalid: [1, [], false],
  },
  { name: 'integers', schema: { type: 'integer' }, valid: [0, -1, 9007199254740991], invalid: [1.5, '1'] },
  {
    name: 'numbers',
    schema: { type: 'number' },
    valid: [0, -1.5, 1e-7, 1e21, 12345.678],
    invalid: ['1', null],
  },
  {
    name: 'strings with a length, in characters rather than in escapes',
    schema: { type: 'string', minLength: 2, maxLength: 3 },
    valid: ['ab', 'a\n"', '😀😀', 'äöü'],
    invalid: ['a', 'abcd', '😀', '\n'],
  },
  {
    name: 'long strings',
    schema: { type: 'string', minLength: 70, maxLength: 150 },
    valid: [70, 71, 99, 100, 149, 150].map((length) => 'x'.repeat(length)),
    invalid: [0, 1, 69, 151, 200].map((length) => 'x'.repeat(length)),
  },
  {
    name: 'declared properties in their order, optional ones left out or not',
    schema: {
      type: 'object',
      properties: {
        a: { type: 'integer' },
        b: { type: 'integer' },
        c: { type: 'integer' },
        d: { type: 'integer' },
      },
      required: ['b'],
    },
    valid: [{ b: 1 }, { a: 1, b: 1 }, { b: 1, d: 1 }, { a: 1, b: 1, c: 1, d: 1 }],
    invalid: [{}, { a: 1 }, { c: 1, b: 1 }, { b: 'x' }, { b: 1, x: 1 }, { a: 1, c: 1 }],
  },
  {
    name: 'objects with optional properties only',
    schema: { properties: { a: { type: 'null' }, b: { type: 'null' } } },
    valid: [{}, { a: null }, { b: null }, { a: null, b: null }],
    invalid: [{ b: null, a: null }, { c: null }, [], null],
  },
  {
    name: 'no properties at all',
    schema: { type: 'object', properties: {}, additionalProperties: false },
    valid: [{}],
    invalid: [{ a: 1 }, []],
  },
  {
    name: 'objects of anything',
    schema: { type: 'object' },
    valid: [{}, { a: { b: [1] } }],
    invalid: [[], 1, null],
  },
  {
    name: 'additional properties, under other names than the declared ones',
    schema: {
      type: 'object',
      properties: { ab: { type: 'string' }, 'a"': { type: 'string' } },
      additionalProperties: { type: 'integer' },
    },
    valid: [{}, { x: 1 }, { ab: 's', x: 1, y: 2 }, { a: 1, abc: 1, b: 1, '': 1, '"': 2, 'a\\': 3 }],
    invalid: [{ ab: 1 }, { 'a"': 1 }, { ab: 's', ab2: 's' }],
  },
  {
    name: 'maps',
    schema: { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'number' } },
    valid: [{}, { a: 1.5, 'b c': 2 }],
    invalid: [{ a: 'x' }],
  },
  {
    name: 'required names that only additionalProperties allows',
    schema: { type: 'object', required: ['a'], additionalProperties: { type: 'integer' } },
    valid: [{ a: 1 }, { a: 1, b: 2 }],
    invalid: [{}, { b: 1 }, { a: 'x' }],
  },
  {
    name: 'property names that need escaping',
    schema: {
      type: 'object',
      properties: {
        'a"\\\n\u0001\u{1f600}\ud800]^-': { type: 'null' },
        ['__proto__']: { type: 'null' },
        constructor: { type: 'null' },
      },
      required: ['a"\\\n\u0001\u{1f600}\ud800]^-', 'constructor'],
    },
    valid: [
      { 'a"\\\n\u0001\u{1f600}\ud800]^-': null, constructor: null },
      { 'a"\\\n\u0001\u{1f600}\ud800]^-': null, ['__proto__']: null, constructor: null },
    ],
    invalid: [{ constructor: null }, {}],
  },
  {
    name: 'lists of a length',
    schema: { type: 'array', items: { type: 'integer' }, minItems: 1, maxItems: 3 },
    valid: [[1], [1, 2], [1, 2, 3]],
    invalid: [[], [1, 2, 3, 4], ['a']],
  },
  { name: 'lists of no items', schema: { type: 'array', maxItems: 0 }, valid: [[]], invalid: [[1]] },
  { name: 'lists of anything', schema: { type: 'array' }, valid: [[], [1, 'a', [null]]], invalid: [{}, 1] },
  {
    name: 'lists whose first items have schemas of their own',
    schema: {
      type: 'array',
      prefixItems: [{ type: 'string' }, { type: 'integer' }],
      items: { type: 'null' },
      minItems: 1,
    },
    valid: [['a'], ['a', 1], ['a', 1, null], ['a', 1, null, null]],
    invalid: [[], [1], ['a', 'b'], ['a', null], ['a', 1, 2]],
  },
  {
    name: 'tuples',
    schema: {
      type: 'array',
      prefixItems: [{ type: 'string' }, { type: 'integer' }],
      items: false,
      minItems: 2,
      maxItems: 2,
    },
    valid: [['a', 1]],
    invalid: [[], ['a'], ['a', 1, 1]],
  },
  {
    name: 'enum',
    schema: { enum: ['a', 'ab', 'abc', 'b"', 1, -0.5, null, true, ['x', { y: [] }], {}] },
    valid: ['a', 'ab', 'abc', 'b"', 1, -0.5, null, true, ['x', { y: [] }], {}],
    invalid: ['', 'b', 'abcd', 2, false, ['x'], [], { y: [] }],
  },
  {
    name: 'enum narrowed by type',
    schema: { type: ['string'], enum: ['a', 1, null] },
    valid: ['a'],
    invalid: [1, null],
  },
  {
    name: 'const',
    schema: { const: { a: [1, null] } },
    valid: [{ a: [1, null] }],
    invalid: [{ a: [1] }, {}],
  },
  { name: 'const null', schema: { const: null }, valid: [null], invalid: [0, 'null'] },
  {
    name: 'anyOf',
    schema: { anyOf: [{ type: 'integer', minimum: 3 }, { type: 'string', maxLength: 1 }, false] },
    valid: [3, 10, '', 'a'],
    invalid: [2, 'ab', null],
  },
  {
    name: 'oneOf, read as anyOf',
    schema: { oneOf: [{ type: 'integer' }, { type: 'number', maximum: 0.5 }] },
    valid: [7, 0.25, 0],
    invalid: [0.75],
  },
  {
    name: 'anyOf beside other keywords',
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'integer' } },
      anyOf: [{ required: ['a'] }, { required: ['b'] }],
    },
    valid: [{ a: 1 }, { b: 1 }, { a: 1, b: 1 }],
    invalid: [{}],
  },
  {
    name: 'allOf of objects',
    schema: {
      allOf: [
        { $ref: '#/$defs/named' },
        {
          type: 'object',
          properties: { name: { minLength: 2 }, age: { type: 'integer' } },
          required: ['age'],
        },
      ],
      $defs: { named: PERSON },
    },
    valid: [{ name: 'ab', age: 1 }],
    invalid: [{ name: 'a', age: 1 }, { name: 'ab' }, { age: 1 }],
  },
  {
    name: 'allOf of one reference, as generators write it to add a description',
    schema: {
      properties: { p: { allOf: [{ $ref: '#/definitions/P' }], description: 'x' } },
      required: ['p'],
      definitions: { P: PERSON },
    },
    valid: [{ p: { name: '' } }],
    invalid: [{ p: {} }, {}],
  },
  {
    name: 'allOf of bounds',
    schema: { allOf: [{ type: 'number', minimum: 1 }, { type: 'integer', maximum: 9 }, { minimum: 3 }] },
    valid: [3, 9],
    invalid: [2, 10, 3.5],
  },
  {
    name: 'recursion through the root',
    schema: {
      type: 'object',
      properties: { v: { type: 'integer' }, next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['v', 'next'],
    },
    valid: [
      { v: 1, next: null },
      { v: 1, next: { v: 2, next: { v: 3, next: null } } },
    ],
    invalid: [{ v: 1 }, { v: 1, next: {} }],
  },
  {
    name: 'references with escapes, into definitions that refer to each other',
    schema: {
      $ref: '#/$defs/a~1b%20c',
      $defs: {
        'a/b c': { type: 'array', items: { $ref: '#/$defs/~0d' } },
        '~d': { type: 'object', properties: { list: { $ref: '#/$defs/a~1b c' } } },
      },
    },
    valid: [[], [{}], [{ list: [{ list: [] }] }]],
    invalid: [{}, [1], [{ list: {} }]],
  },
  {
    name: 'a root that allOf narrows to objects, with no type of its own',
    schema: { allOf: [{}, { type: 'object' }] },
    valid: [{}, { a: 1 }],
    invalid: [[], 1],
  },
  {
    name: 'annotations are ignored',
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'x',
      $comment: 'x',
      title: 'x',
      description: 'x',
      default: 1,
      examples: [1],
      type: 'null',
    },
    valid: [null],
    invalid: [1],
  },
];

describe('a schema', () => {
  for (const { name, schema, valid, invalid } of ROWS) {
    test(name, () => {
      const grammar = grammarOf(schema);
      for (const value of valid) {
        expect(grammar.accepts(JSON.stringify(value)), JSON.stringify(value)).toBe(true);
        expect(grammar.accepts(spaced(value)), spaced(value)).toBe(true);
      }
      for (const value of invalid)
        expect(grammar.accepts(JSON.stringify(value)), JSON.stringify(value)).toBe(false);
    });
  }
});

describe('any JSON object', () => {
  const grammar = readGrammar(jsonObjectGrammar());

  test('takes objects only, in any of the usual layouts', () => {
    const value = { a: [1, -2.5e-3, true, null, 'x\u0000"\\/é😀'], 'b ': { c: {} }, d: [] };
    for (const text of [
      JSON.stringify(value),
      JSON.stringify(value, null, 2),
      JSON.stringify(value, null, '\t'),
    ]) {
      expect(grammar.accepts(text)).toBe(true);
    }
    for (const text of [
      '[]',
      '1',
      '',
      '{',
      '{"a"}',
      '{"a":1,}',
      "{'a':1}",
      ' {}',
      '{} ',
      '{"a":01}',
      '{"a":1.}',
    ]) {
      expect(grammar.accepts(text), text).toBe(false);
    }
  });

  test('takes every spelling of a character, but neither raw control characters nor half a surrogate pair', () => {
    for (const text of ['\\u0041', '\\/', '\\b\\f\\n\\r\\t', '\\ud83d\\ude00', '\\uD83D\\uDE00', '\u007f']) {
      expect(grammar.accepts(`{"${text}":0}`), text).toBe(true);
    }
    for (const text of ['\n', '\u0000', '\u001f', '\\x', '\\u12', '\\ud83d', '\\ude00', '\\ud83dx']) {
      expect(grammar.accepts(`{"${text}":0}`), text).toBe(false);
    }
  });

  test('has an end to blanks and digits', () => {
    expect(grammar.accepts(`{\n${' '.repeat(20)}}`)).toBe(true);
    expect(grammar.accepts(`{\n${' '.repeat(21)}}`)).toBe(false);
    expect(grammar.accepts('{\n\n}')).toBe(false);
    expect(grammar.accepts(`{"a":${'1'.repeat(21)}}`)).toBe(true);
    expect(grammar.accepts(`{"a":${'1'.repeat(22)}}`)).toBe(false);
  });
});

/** The layout that Python's json.dumps and most models write. */
function spaced(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  const members = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${spaced(inner)}`);
  return `{${members.join(', ')}}`;
}
