import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Grammar } from '../../src/tokenizer-manager/structured-output/grammar.ts';
import { printGrammar } from '../../src/tokenizer-manager/structured-output/print-grammar.ts';
import {
  addSchema,
  jsonObjectGrammar,
  schemaToGrammar,
} from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { type NativeGrammars, openNativeGrammars } from './native-walk.ts';
import { randomFrom } from './random.ts';
import { StackFollower } from './stack-follower.ts';

const PARAM = 'response_format.json_schema.schema';
const TEXT = { type: 'string' };
const NUMBER = { type: 'number' };
const SELF = { $ref: '#' };
const LIST = { type: 'array', items: SELF };

function object(properties: Record<string, unknown>, required = Object.keys(properties)): unknown {
  return { type: 'object', properties, required, additionalProperties: false };
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function properties(count: number, schema: unknown): Record<string, unknown> {
  return Object.fromEntries(times(count, (i) => [`property${i}`, schema]));
}

/** Definitions that each lead to the next one, without recursion. */
function chain(length: number, level: (next: unknown) => unknown): unknown {
  const levels = times(length, (i) => [`d${i}`, level({ $ref: `#/$defs/d${i + 1}` })]);
  return { $ref: '#/$defs/d0', $defs: { ...Object.fromEntries(levels), [`d${length}`]: { type: 'null' } } };
}

const TREE = {
  anyOf: [object({ op: { const: 'not' }, of: SELF }), object({ op: { const: 'id' }, name: TEXT })],
};

const EXPLOSIVE: [name: string, path: string, schema: unknown][] = [
  ['lists that differ in length', '#', { anyOf: [LIST, { ...LIST, minItems: 1 }, { ...LIST, maxItems: 3 }] }],
  ['a list and a list of lists', '#', { anyOf: [LIST, { type: 'array', items: LIST }] }],
  [
    'lists that come back after five levels',
    '#',
    { anyOf: [LIST, times(4, () => 0).reduce<unknown>((items) => ({ type: 'array', items }), LIST)] },
  ],
  [
    'tuples that end differently',
    '#',
    { anyOf: times(3, (i) => ({ type: 'array', prefixItems: [SELF, { const: i }], items: false })) },
  ],
  [
    'objects that differ after a nested value',
    '#',
    { anyOf: times(2, (i) => object({ child: SELF, [`x${i}`]: TEXT }, [])) },
  ],
  [
    'objects that differ after a list of them',
    '#/$defs/node',
    {
      $ref: '#/$defs/node',
      $defs: {
        node: {
          anyOf: times(2, (i) =>
            object({ name: TEXT, kids: { type: 'array', items: { $ref: '#/$defs/node' } }, [`x${i}`]: TEXT }),
          ),
        },
      },
    },
  ],
  [
    'a discriminator that comes too late',
    '#/properties/root',
    {
      type: 'object',
      properties: {
        root: {
          anyOf: ['add', 'mul'].map((kind) =>
            object({ left: { $ref: '#/properties/root' }, kind: { const: kind } }, ['kind']),
          ),
        },
      },
    },
  ],
  [
    'maps of themselves',
    '#',
    { anyOf: [{ additionalProperties: SELF }, { properties: { a: SELF }, additionalProperties: SELF }] },
  ],
  [
    'a chain of lists',
    '#/$defs/d',
    chain(20, (items) => ({
      anyOf: [
        { type: 'array', items },
        { type: 'array', items, minItems: 1 },
      ],
    })),
  ],
  [
    'a chain of objects',
    '#/$defs/d',
    chain(20, (next) => ({ anyOf: times(2, (i) => object({ a: next, [`x${i}`]: TEXT })) })),
  ],
  [
    'few branches among many properties',
    '#/properties/last',
    {
      type: 'object',
      properties: {
        ...properties(200, { type: ['string', 'null'], maxLength: 1000 }),
        last: {
          anyOf: times(2, (i) => object({ a: { $ref: '#/properties/last' }, [`x${i}`]: TEXT }, [])),
        },
      },
    },
  ],
  ...[
    '^(a|[ab])*$',
    '^(a+)+$',
    '^(a{1,30}){1,30}$',
    '^((a|aa)(b|[ab]))*$',
    '^(=-|=[-])*$',
    '^(.+,)*.+$',
    '^([A-Za-z]+\\s?)+$',
    '^\\w+([.-]?\\w+)*@\\w+([.-]?\\w+)*(\\.\\w{2,3})+$',
    '^\\s*\\s*\\s*\\s*x$',
    `^(?:${times(30, () => '[a-m][n-z]').join('|')})*$`,
  ].map((pattern): [string, string, unknown] => [
    `the pattern ${pattern.slice(0, 40)}`,
    '#/properties/p',
    { properties: { p: { type: 'string', pattern } } },
  ]),
];

const FORMATS = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'];

const Category = z.object({
  name: z.string(),
  get subcategories() {
    return z.array(Category);
  },
});

const ORDINARY: [name: string, schema: unknown][] = [
  ['anything', {}],
  ['a recursive union with its discriminator first', TREE],
  [
    'forty kinds of nodes',
    {
      anyOf: times(40, (i) =>
        object({ kind: { const: `node${i}` }, left: SELF, right: SELF, more: LIST }, ['kind']),
      ),
    },
  ],
  [
    'a union told apart by names in front of nested values',
    { anyOf: [object({ id: TEXT, circle: SELF }), object({ id: TEXT, square: SELF }), { type: 'null' }] },
  ],
  [
    'a linked list',
    object({ value: { type: ['integer', 'null'] }, next: { anyOf: [SELF, { type: 'null' }] } }),
  ],
  ['a tree', object({ name: TEXT, kids: { type: 'array', items: SELF, maxItems: 500 } })],
  ['a Zod schema that refers to itself', z.toJSONSchema(Category)],
  ['lists in lists, limited in length', { type: 'array', items: SELF, maxItems: 100 }],
  ['a tree or anything else', { anyOf: [LIST, {}] }],
  ['100 optional properties', { properties: properties(100, { type: ['string', 'number', 'null'] }) }],
  ['256 optional properties, recursive', { properties: properties(256, SELF) }],
  [
    'one of several required',
    { properties: properties(50, TEXT), anyOf: times(5, (i) => ({ required: [`property${i}`] })) },
  ],
  ['a map beside declared names', { properties: { aa: TEXT, ab: TEXT }, additionalProperties: SELF }],
  ['names to avoid', { properties: properties(100, TEXT), additionalProperties: { type: 'integer' } }],
  ['5000 names', { enum: times(5000, (i) => `value-${(i * 7919) % 10007}`) }],
  ['names that all begin differently', { enum: times(900, (i) => `${String.fromCodePoint(0x4e00 + i)}x`) }],
  ['every format', { anyOf: FORMATS.map((format) => ({ type: 'string', format })) }],
  [
    'overlapping numbers',
    { type: 'array', items: { anyOf: [{ type: 'integer' }, NUMBER, { type: 'integer', minimum: 3 }] } },
  ],
  [
    'overlapping strings',
    { type: 'array', items: { anyOf: [TEXT, { enum: ['a', 'b'] }, { pattern: '^x' }, { maxLength: 900 }] } },
  ],
  [
    'objects that share their first properties',
    {
      type: 'array',
      items: {
        anyOf: times(8, (i) => object({ id: TEXT, tags: { type: 'array', items: TEXT }, [`x${i}`]: TEXT })),
      },
    },
  ],
  [
    'three levels of them',
    times(3, () => 0).reduce<unknown>(
      (inner) => ({ anyOf: times(3, (i) => object({ a: inner, [`x${i}`]: TEXT })) }),
      TEXT,
    ),
  ],
  ['long strings', { properties: properties(20, { type: 'string', minLength: 3, maxLength: 100_000 }) }],
  ['a number in a range', { type: 'array', items: { type: 'number', minimum: -12.345, maximum: 99_999.25 } }],
  ...[
    'ab+',
    '.*foo.*',
    '^.*foo.*bar.*$',
    '^\\w*\\w*$',
    '^[a-z0-9]+(?:-[a-z0-9]+)*$',
    '^\\s*\\S.*\\S\\s*$',
    '^[^\\s@]+@[^\\s@]+\\.[^\\s@]+$',
    '^(\\/[\\w.-]+)+\\/?$',
    '^[A-Z]{2}\\d{2}(?:[ ]?[A-Z0-9]{1,4}){1,8}$',
    '^https?://(?:www\\.)?[-a-zA-Z0-9@:%._+~#=]{1,256}\\.[a-z0-9()]{1,6}(?:[-a-z0-9()@:%_+.~#?&/=]*)$',
    '^(0|[1-9]\\d*)(?:-((?:0|[1-9]\\d*|\\d*[a-z-][0-9a-z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[a-z-][0-9a-z-]*))*))?$',
  ].map((pattern): [string, unknown] => [
    `the pattern ${pattern.slice(0, 40)}`,
    { properties: { p: { pattern } } },
  ]),
];

function refusal(schema: unknown): string | undefined {
  try {
    schemaToGrammar(schema, { param: PARAM });
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ code: 'unsupported_schema', status: 400 });
    return (error as Error).message;
  }
}

describe('a schema is refused when the ways to read a text multiply', () => {
  test.each(EXPLOSIVE)('%s', (_name, path, schema) => {
    const message = refusal(schema);
    expect(message).toContain('too many of its alternatives begin alike');
    expect(message).toContain(`Schema at ${path}`);
  });
});

describe('a schema is accepted when they do not', () => {
  test.each(ORDINARY)('%s', (_name, schema) => {
    expect(refusal(schema)).toBeUndefined();
  });
});

/** Stacks that stay cheap. */
const CHEAP = 1_500;

/**
 * What the search misses may grow with the square of the depth, which the time limit for a token stops. Stacks that
 * multiply at every level are more than this soon.
 */
const BEARABLE = 10_000;

/** Memory that a few hundred stacks of a few hundred items never need. */
const MEMORY = 512 * 1024 * 1024;

/** A text that keeps as many stacks as possible, and how many these were at most. */
function worstText(
  gbnf: string,
  length: number,
  random: () => number,
  limit = CHEAP,
): { text: string; most: number } {
  const follower = new StackFollower(gbnf);
  let text = '';
  let most = follower.count;
  while (text.length < length && most < limit) {
    const choices = follower.choices().filter(({ character, count }) => character < '\u007f' && count > 0);
    const best = Math.max(...choices.map(({ count }) => count));
    const good = choices.filter(({ count }) => count >= (random() < 0.9 ? best : 0));
    const choice = good[Math.floor(random() * good.length)];
    if (!choice) break;
    follower.accept(choice.character);
    text += choice.character;
    most = Math.max(most, follower.count);
  }
  return { text, most };
}

describe('llama.cpp', () => {
  let native: NativeGrammars;
  beforeAll(async () => {
    native = await openNativeGrammars();
  });
  afterAll(() => native.close());

  function follow(gbnf: string, length: number, random: () => number, limit = CHEAP): void {
    const { text, most } = worstText(gbnf, length, random, limit);
    expect(most, text).toBeLessThan(limit);
    const before = process.memoryUsage().rss;
    expect(native.walk(gbnf, text), text).toBe(text.length);
    expect(process.memoryUsage().rss - before, text).toBeLessThan(MEMORY);
  }

  test.each(EXPLOSIVE.slice(0, 3))('would hold too many stacks for %s', (_name, _path, schema) => {
    const grammar = new Grammar();
    const unchecked = printGrammar(grammar, grammar.rule(addSchema(grammar, schema, { param: PARAM })));
    expect(worstText(unchecked, 30, randomFrom(1)).most).toBeGreaterThan(CHEAP);
  });

  test('follows any JSON object', () => {
    for (let seed = 0; seed < 5; seed++) follow(jsonObjectGrammar(), 200, randomFrom(seed));
  });

  test.each(ORDINARY)('follows the worst text for %s', (_name, schema) => {
    follow(schemaToGrammar(schema, { param: PARAM }), 200, randomFrom(5));
  });

  test('follows bad texts for every schema that is not refused', () => {
    let followed = 0;
    fc.assert(
      fc.property(anySchema, fc.nat(), (schema, seed) => {
        if (refusal(schema) !== undefined) return;
        followed++;
        follow(schemaToGrammar(schema, { param: PARAM }), 30, randomFrom(seed), BEARABLE);
      }),
      { numRuns: 100 },
    );
    expect(followed).toBeGreaterThan(20);
  });
});

/** Schemas that refer to themselves and each other, in ways that are often ambiguous. */
const anySchema = fc.letrec<{ schema: unknown; document: object }>((tie) => {
  const schemas = (max: number) => fc.array(tie('schema'), { minLength: 1, maxLength: max });
  const reference = fc.constantFrom('#', '#/$defs/A', '#/$defs/B').map(($ref): unknown => ({ $ref }));
  const leaf = fc.constantFrom<unknown>(
    ...[TEXT, NUMBER, { type: 'integer' }, { type: ['string', 'null'] }, {}, { enum: ['a', 'ab', 1] }],
    ...[
      { const: 'b' },
      { maxLength: 100 },
      { format: 'date' },
      { pattern: '^(a|b+)+$' },
      { pattern: 'a.*b' },
    ],
  );
  const list = fc
    .tuple(tie('schema'), fc.nat(2), fc.option(fc.constantFrom(2, 20, 600), { nil: undefined }))
    .map(([items, minItems, maxItems]) => ({ type: 'array', items, minItems, maxItems }));
  const tuple = schemas(3).map((prefixItems) => ({ type: 'array', prefixItems, items: false }));
  const members = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'ab'), tie('schema'), fc.boolean()), {
    maxLength: 3,
    selector: ([name]) => name,
  });
  const record = fc
    .tuple(members, fc.option(tie('schema'), { nil: false, freq: 4 }))
    .map(([found, additionalProperties]) => ({
      type: 'object',
      properties: Object.fromEntries(found.map(([name, schema]) => [name, schema])),
      required: found.filter(([, , required]) => required).map(([name]) => name),
      additionalProperties,
    }));
  const union = schemas(3).map((anyOf) => ({ anyOf }));
  return {
    schema: fc.oneof({ depthSize: 'small' }, leaf, reference, list, tuple, record, union, union),
    document: fc
      .tuple(fc.oneof(list, record, union), tie('schema'), tie('schema'))
      .map(([root, A, B]) => ({ ...root, $defs: { A, B } })),
  };
}).document;
