import type { Conversion } from './conversion.ts';
import { choice, type Node, sequence, text } from './grammar.ts';
import { afterComma, blanks, enclosed } from './json-rules.ts';
import { refuseBeside, type SchemaType, typesOf } from './keywords.ts';
import { listAt, own, type Place, refuse, type SchemaObject } from './schema-place.ts';
import { anyWord } from './word-tree.ts';

/**
 * The values of `enum` and `const` that `type` allows; `undefined` if the schema has neither.
 * @throws `unsupported_schema`
 */
export function enumSchema(conversion: Conversion, schema: SchemaObject, place: Place): Node | undefined {
  const listed = listAt(schema, 'enum', place);
  const hasConst = Object.hasOwn(schema, 'const') && schema.const !== undefined;
  if (!listed && !hasConst) return undefined;
  refuseBeside(listed ? 'enum' : 'const', ['type', 'const'], schema, place);
  conversion.spend('enumValues', listed?.length ?? 1, place);

  const types = own(schema, 'type') === undefined ? undefined : typesOf(schema, place);
  const scalars = new Set<string>();
  const others: Node[] = [];
  const only = hasConst ? JSON.stringify(schema.const) : undefined;
  for (const value of listed ?? [schema.const]) {
    if (types && !types.some((type) => hasType(value, type))) continue;
    // Compact JSON is also what makes two values equal.
    const json = JSON.stringify(value);
    if (only !== undefined && json !== only) continue;
    conversion.spend('literalCharacters', json.length, place);
    if (typeof value === 'object' && value !== null) others.push(literal(conversion, value));
    else scalars.add(json);
  }
  if (scalars.size > 0) others.push(anyWord(conversion.grammar, scalars));
  if (others.length === 0) refuse(place, "no value is left by 'enum', 'const' and 'type'");
  return choice(others);
}

function literal(conversion: Conversion, value: unknown): Node {
  const { grammar } = conversion;
  if (typeof value !== 'object' || value === null) return text(JSON.stringify(value));
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((item) => literal(conversion, item))
    : Object.entries(value).map(([key, item]) =>
        sequence(text(`${JSON.stringify(key)}:`), blanks(grammar), literal(conversion, item)),
      );
  const [open, close] = isList ? (['[', ']'] as const) : (['{', '}'] as const);
  const [first, ...rest] = parts;
  if (!first) return sequence(text(open), blanks(grammar), text(close));
  const content = sequence(first, ...rest.map((part) => afterComma(grammar, part)));
  return grammar.rule(enclosed(grammar, open, content, close, false));
}

function hasType(value: unknown, type: SchemaType): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
