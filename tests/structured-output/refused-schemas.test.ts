import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/shared/errors.ts';
import { schemaToGrammar } from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { PARAM } from './grammar-of.ts';

function refusal(schema: unknown): string {
  try {
    schemaToGrammar(schema, { param: PARAM });
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect(error).toMatchObject({ code: 'unsupported_schema', status: 400, param: PARAM });
    return (error as Failure).message;
  }
  return 'accepted';
}

/** A schema of many, each inside of the one before it. */
function nested(levels: number, wrap: (inner: unknown) => unknown, core: unknown = {}): unknown {
  let schema = core;
  for (let level = 0; level < levels; level++) schema = wrap(schema);
  return schema;
}

const PROPERTY = (schema: unknown) => ({ type: 'object', properties: { a: schema } });

describe('what is not supported is refused by name and place', () => {
  test.each([
    ['if', { if: {} }],
    ['not', { not: {} }],
    ['patternProperties', { patternProperties: {} }],
    ['dependentRequired', { dependentRequired: {} }],
    ['contains', { contains: {} }],
    ['unevaluatedProperties', { unevaluatedProperties: false }],
    ['minProperties', { minProperties: 1 }],
    ['$dynamicRef', { $dynamicRef: '#' }],
    ['nullable', { type: 'string', nullable: true }],
    ['__proto__', JSON.parse('{"__proto__": {}}')],
    ['constructor', { constructor: {} }],
    ['uniqueItems', { type: 'array', uniqueItems: true }],
    ['propertyNames', { propertyNames: { maxLength: 3 } }],
    ['multipleOf', { type: 'integer', multipleOf: 5 }],
  ])('%s', (keyword, schema) => {
    expect(refusal(PROPERTY(schema))).toBe(`Schema at #/properties/a: '${keyword}' is not supported`);
  });

  test.each<[string, unknown]>([
    ["type 'any' is not supported", { type: 'any' }],
    ["format 'uri' is not supported", { type: 'string', format: 'uri' }],
    ["$ref 'other.json' is not supported", { $ref: 'other.json' }],
    ["$ref '#name' is not supported", { $ref: '#name' }],
    ["'maxLength' beside '$ref'", { $ref: '#', maxLength: 3 }],
    ["'minLength' beside 'enum'", { enum: ['a'], minLength: 1 }],
    ["a list in 'items'", { items: [{}] }],
    ["'pattern' is not supported: lookaround", { pattern: '^(?=a)' }],
    ["'pattern' is not supported: lookaround", { pattern: '(?<!a)b' }],
    ["'\\b' is not supported", { pattern: '\\bword\\b' }],
    ["'\\1' is not supported", { pattern: '(a)\\1' }],
    ["'\\p' is not supported", { pattern: '\\p{L}' }],
    ['anchors are only supported at the ends', { pattern: '(^a|b)' }],
    ['must not match an empty string', { pattern: '^(a*)*$' }],
    ['two quantifiers', { pattern: 'a**' }],
    ["'[' without ']'", { pattern: '[a' }],
    ["'(' without ')'", { pattern: '(a' }],
    ["')' without '('", { pattern: 'a)' }],
    ['wrong way round', { pattern: '[z-a]' }],
    ['add up to too much', { pattern: '((a{20}){20}){20}' }],
    ['nested too deeply', { pattern: `${'('.repeat(100)}${')'.repeat(100)}` }],
    ['too long', { pattern: 'a'.repeat(5000) }],
    ["'minLength' is not supported beside a pattern", { pattern: '^a*$', minLength: 1 }],
    ["'maxLength' is not supported beside a pattern", { format: 'email', maxLength: 20 }],
    ["a 'pattern' beside 'format' must begin with ^", { format: 'date', pattern: '^2024' }],
    ["two different 'pattern' at once", { allOf: [{ pattern: 'a' }, { pattern: 'b' }] }],
    [
      "'additionalProperties' is not supported where another schema adds 'b'",
      { allOf: [{ properties: { a: {} }, additionalProperties: false }, { properties: { b: {} } }] },
    ],
    ['a bound has too many digits', { type: 'number', minimum: 0.1 + 0.2 }],
    ["'maximum' is too large", { type: 'number', maximum: 1e300 }],
  ])('%s', (reason, schema) => {
    expect(refusal(schema)).toContain(reason);
  });
});

describe('what no value can satisfy is refused', () => {
  test.each<[string, unknown]>([
    ['no value can satisfy false', false],
    ['no value can satisfy false', { type: 'object', properties: { a: false }, required: ['a'] }],
    ["no value is left by 'enum'", { enum: [] }],
    ["no value is left by 'enum'", { enum: ['a'], const: 'b' }],
    ["no value is left by 'enum'", { type: 'integer', enum: ['a', 1.5] }],
    ["no value can satisfy an empty 'anyOf'", { anyOf: [] }],
    ["no value can satisfy 'oneOf'", { oneOf: [false, false] }],
    ['empty list of types', { type: [] }],
    ['no value has both types', { allOf: [{ type: 'string' }, { type: 'integer' }] }],
    ["as short as 'maxItems'", { type: 'array', minItems: 3, maxItems: 2 }],
    ["'minItems' asks for more", { type: 'array', prefixItems: [{}], items: false, minItems: 2 }],
    ["as short as 'maxLength'", { type: 'string', minLength: 3, maxLength: 2 }],
    ['no number is within its bounds', { type: 'number', minimum: 2, maximum: 1 }],
    ['no number is within its bounds', { type: 'number', minimum: 1, exclusiveMaximum: 1 }],
    ['no whole number is within its bounds', { type: 'integer', minimum: 1.2, maximum: 1.8 }],
    [
      "'b' is required but not allowed",
      { properties: { a: {} }, required: ['b'], additionalProperties: false },
    ],
    ["$ref '#/$defs/x' leads to nowhere", { $ref: '#/$defs/x' }],
    ["$ref '#/constructor' leads to nowhere", { $ref: '#/constructor' }],
    ['refers to itself without anything', { $ref: '#' }],
    ['refers to itself without anything', { anyOf: [{ type: 'null' }, { $ref: '#' }] }],
    [
      'refers to itself without anything',
      { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } },
    ],
    ['refers to itself without anything', { allOf: [{ $ref: '#/allOf/0' }, {}] }],
    ['its recursion has no end', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }],
    [
      'its recursion has no end',
      { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#/anyOf/1' }, minItems: 1 }] },
    ],
  ])('%s', (reason, schema) => {
    expect(refusal(schema)).toContain(reason);
  });
});

describe('what is no schema is refused', () => {
  test.each<[string, unknown]>([
    ['must be an object or a boolean', null],
    ['must be an object or a boolean', 'string'],
    ['must be an object or a boolean', []],
    ['must be an object or a boolean', { items: 3 }],
    ["'properties' must be an object", { properties: [] }],
    ["'required' must be a list of names", { type: 'object', required: [1] }],
    ["'required' must be a list", { type: 'object', required: 'a' }],
    ["'enum' must be a list", { enum: 'a' }],
    ["'anyOf' must be a list", { anyOf: {} }],
    ["'minLength' must be a whole number", { minLength: -1 }],
    ["'maxItems' must be a whole number", { maxItems: 1.5 }],
    ["'minimum' must be a number", { minimum: '1' }],
    ["'exclusiveMinimum' must be a number", { exclusiveMinimum: true }],
    ["'pattern' must be a string", { pattern: 1 }],
    ["'$ref' must be a string", { $ref: 1 }],
    ['a type that is no name is not supported', { type: {} }],
  ])('%s', (reason, schema) => {
    expect(refusal(schema)).toContain(reason);
  });
});

describe('a schema that costs too much is refused at once', () => {
  const doubling = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [
      `d${i}`,
      { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
  );

  test.each<[string, string, () => unknown]>([
    ['schemas in schemas', 'nested more than 32 levels', () => nested(40, PROPERTY)],
    ['JSON in JSON', 'nested too deeply', () => nested(50_000, (inner) => ({ not: inner }))],
    ['lists in lists', 'nested too deeply', () => ({ enum: [nested(50_000, (inner) => [inner])] })],
    ['a deep type', 'nested too deeply', () => ({ type: nested(50_000, (inner) => [inner]) })],
    [
      'alternatives of alternatives',
      'too many alternatives',
      () => ({ $ref: '#/$defs/d0', $defs: { ...doubling, d40: { type: 'null' } } }),
    ],
    [
      'alternatives',
      'too many alternatives',
      () => ({ anyOf: Array.from({ length: 3000 }, (_, i) => ({ const: [i] })) }),
    ],
    [
      'a chain of references',
      'too many references',
      () => ({
        $ref: '#/$defs/d0',
        $defs: Object.fromEntries(
          Array.from({ length: 9000 }, (_, i) => [`d${i}`, i < 8999 ? { $ref: `#/$defs/d${i + 1}` } : {}]),
        ),
      }),
    ],
    [
      'properties',
      'properties is exceeded',
      () => ({
        properties: Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`p${i}`, {}])),
        required: Array.from({ length: 6000 }, (_, i) => `p${i}`),
      }),
    ],
    [
      'optional properties',
      'more than 256 optional',
      () => ({
        properties: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`p${i}`, {}])),
      }),
    ],
    ['enum values', 'enum values is exceeded', () => ({ enum: Array.from({ length: 6000 }, (_, i) => i) })],
    ['long names', 'characters in names', () => ({ properties: { ['x'.repeat(200_000)]: {} } })],
    [
      'schemas',
      'schemas is exceeded',
      () => ({ prefixItems: Array.from({ length: 20_000 }, () => ({ type: 'null' })), minItems: 20_000 }),
    ],
    [
      'merges that never end',
      'nested more than 32 levels',
      () => ({
        properties: { a: { allOf: [{ $ref: '#' }, { properties: { a: { properties: {} } } }] } },
      }),
    ],
    ['a minimum length', 'a length is above 1000000', () => ({ minLength: 1e9 })],
    ['a number of items', "'maxItems' is above 1000000", () => ({ type: 'array', maxItems: 1e15 })],
    [
      'a large list of large items',
      'too large',
      () => ({
        prefixItems: Array.from({ length: 1000 }, (_, i) => ({
          type: 'string',
          maxLength: 100_000 + 900 * i,
        })),
      }),
    ],
  ])('%s', (_name, reason, schema) => {
    const started = performance.now();
    expect(refusal(schema())).toContain(reason);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
