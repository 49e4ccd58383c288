import fc from 'fast-check';
import Schema from 'typebox/schema';
import { expect, test } from 'vitest';
import { schemaToGrammar } from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { grammarOf, PARAM, randomFrom } from './grammar-of.ts';
import { compilesNatively } from './native-grammar.ts';

/** A schema with a source of values that satisfy it. */
interface Case {
  schema: Record<string, unknown>;
  value: fc.Arbitrary<unknown>;
}

const name = fc.oneof(fc.constantFrom('a', 'b', 'ab', 'items', 'x"y', 'ü\\'), fc.string({ maxLength: 4 }));
const scalar = fc.oneof(
  fc.string({ maxLength: 4, unit: 'grapheme' }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);

const integer = fc.tuple(fc.integer(), fc.nat()).map(
  ([minimum, span]): Case => ({
    schema: { type: 'integer', minimum, maximum: minimum + span },
    value: fc.integer({ min: minimum, max: Math.min(minimum + span, 2 ** 31 - 1) }),
  }),
);
const text = fc.tuple(fc.nat(5), fc.nat(100)).map(
  ([minLength, more]): Case => ({
    schema: { type: 'string', minLength, maxLength: minLength + more },
    value: fc.string({
      minLength,
      maxLength: minLength + Math.min(more, 8),
      unit: fc.constantFrom(...'aé"\\\n\u0000/', '😀'),
    }),
  }),
);
const listed = fc.uniqueArray(scalar, { minLength: 1, maxLength: 6, comparator: 'SameValueZero' }).map(
  (values): Case => ({
    schema: { enum: values },
    value: fc.constantFrom(...values),
  }),
);
const anything: fc.Arbitrary<Case> = fc.constant({
  schema: {},
  value: fc.jsonValue({ depthSize: 'small' }).filter((value) => isPlain(value)),
});

const { anyCase } = fc.letrec<{ anyCase: Case; list: Case; object: Case; union: Case }>((tie) => ({
  anyCase: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    integer,
    text,
    listed,
    anything,
    tie('object'),
    tie('list'),
    tie('union'),
  ),
  list: fc.tuple(tie('anyCase'), fc.nat(2), fc.nat(3)).map(
    ([item, minItems, more]): Case => ({
      schema: { type: 'array', items: item.schema, minItems, maxItems: minItems + more },
      value: fc.array(item.value, { minLength: minItems, maxLength: minItems + more }),
    }),
  ),
  union: fc.array(tie('anyCase'), { minLength: 1, maxLength: 3 }).map(
    (branches): Case => ({
      schema: { anyOf: branches.map((branch) => branch.schema) },
      value: fc.oneof(...branches.map((branch) => branch.value)),
    }),
  ),
  object: fc
    .uniqueArray(fc.tuple(name, tie('anyCase'), fc.boolean()), { maxLength: 5, selector: ([key]) => key })
    .map(
      (properties): Case => ({
        schema: {
          type: 'object',
          properties: Object.fromEntries(properties.map(([key, { schema }]) => [key, schema])),
          required: properties.filter(([, , required]) => required).map(([key]) => key),
          additionalProperties: false,
        },
        value: fc
          .tuple(
            ...properties.map(([, { value }, required]) =>
              fc.tuple(value, required ? fc.constant(true) : fc.boolean()),
            ),
          )
          // In the order of the schema's own properties: keys such as "1" come first there.
          .map((values) => {
            const order = Object.keys(Object.fromEntries(properties.map(([key]) => [key, 0])));
            const found = new Map(properties.map(([key], index) => [key, values[index]!] as const));
            return Object.fromEntries(
              order.filter((key) => found.get(key)![1]).map((key) => [key, found.get(key)![0]]),
            );
          }),
      }),
    ),
}));

/** Numbers with an exponent of three digits are valid JSON that the grammar leaves out. */
function isPlain(value: unknown): boolean {
  return !/\d[eE][+-]?\d{3}/.test(JSON.stringify(value));
}

test('a grammar takes every value that was made to satisfy its schema', () => {
  fc.assert(
    fc.property(
      anyCase.chain(({ schema, value }) =>
        fc.tuple(fc.constant(schema), fc.array(value, { minLength: 1, maxLength: 4 })),
      ),
      ([schema, values]) => {
        const grammar = grammarOf(schema);
        for (const value of values)
          expect(grammar.accepts(JSON.stringify(value)), JSON.stringify(value)).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

test('every text that a grammar makes satisfies its schema', () => {
  fc.assert(
    fc.property(anyCase, fc.nat(), ({ schema }, seed) => {
      const grammar = grammarOf(schema);
      const random = randomFrom(seed);
      for (let count = 0; count < 4; count++) {
        const sample = grammar.sample(random);
        expect(Schema.Check(schema, JSON.parse(sample)), sample).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

test('any JSON at all is either refused with a reason or becomes a grammar that llama.cpp compiles', () => {
  const keyword = fc.constantFrom(
    ...[
      'type',
      'enum',
      'const',
      'properties',
      'required',
      'additionalProperties',
      'items',
      'prefixItems',
      'minItems',
    ],
    ...[
      'maxItems',
      'anyOf',
      'oneOf',
      'allOf',
      '$ref',
      'pattern',
      'format',
      'minLength',
      'minimum',
      'maximum',
      'not',
      '__proto__',
    ],
  );
  const leaf = fc.oneof(
    fc.constantFrom('object', 'string', 'array', 'integer', '#', '#/properties/a', '^a+$', 'date', '(', 'a'),
    fc.jsonValue({ maxDepth: 1 }),
  );
  const { node } = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'medium' },
      leaf,
      fc.dictionary(fc.oneof(keyword, fc.constant('a')), tie('node'), { maxKeys: 4 }),
      fc.array(tie('node'), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(keyword, node, { maxKeys: 4 }), (schema) => {
      let grammar: string;
      try {
        grammar = schemaToGrammar(schema, { param: PARAM });
      } catch (error) {
        expect(error).toMatchObject({ code: 'unsupported_schema' });
        return;
      }
      if (compilesNatively) expect(compilesNatively(grammar), grammar).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
