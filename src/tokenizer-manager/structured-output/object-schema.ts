import type { Conversion } from './conversion.ts';
import { choice, EMPTY, type Node, sequence, text } from './grammar.ts';
import { afterComma, blanks, enclosed } from './json-rules.ts';
import { LIMITS } from './limits.ts';
import { keyOtherThan } from './other-keys.ts';
import { repeated } from './repetition.ts';
import {
  inside,
  isSchemaObject,
  listAt,
  own,
  type Place,
  refuse,
  type SchemaObject,
} from './schema-place.ts';

interface Property {
  readonly member: Node;
  readonly required: boolean;
}

/**
 * Objects whose properties come in the declared order, the optional ones or not, others last. An object that
 * declares properties has others only where `additionalProperties` says so.
 *
 * @throws `unsupported_schema`
 */
export function objectSchema(conversion: Conversion, schema: SchemaObject, place: Place): Node {
  const { grammar } = conversion;
  checkPropertyNames(schema, place);
  const declared = propertiesOf(schema, place);
  const required = requiredOf(schema, place);
  const additional = own(schema, 'additionalProperties') ?? own(schema, 'properties') === undefined;
  for (const name of required) {
    if (declared.has(name)) continue;
    const open = own(schema, 'additionalProperties') ?? true;
    if (open === false) refuse(place, `'${name.slice(0, 60)}' is required but not allowed`);
    declared.set(name, open);
  }
  conversion.spend('properties', declared.size, place);
  const optionalCount = [...declared.keys()].filter((name) => !required.has(name)).length;
  if (optionalCount > LIMITS.optionalProperties) {
    refuse(place, `more than ${LIMITS.optionalProperties} optional properties are not supported`);
  }

  const properties: Property[] = [];
  for (const [name, value] of declared) {
    const key = `${JSON.stringify(name)}:`;
    conversion.spend('literalCharacters', key.length, place);
    if (value === false && !required.has(name)) continue;
    const content = conversion.convert(value, inside(place, 'properties', name));
    properties.push({
      member: sequence(text(key), blanks(grammar), content),
      required: required.has(name),
    });
  }
  const others =
    additional === false ? undefined : otherMembers(conversion, [...declared.keys()], additional, place);
  const members = chain(conversion, properties, others);
  if (!members) return sequence(text('{'), blanks(grammar), text('}'));
  return enclosed(grammar, '{', members, '}', required.size === 0);
}

/** One member or more: a required one must come, an optional one may be passed over. */
function chain(
  conversion: Conversion,
  properties: readonly Property[],
  others: Node | undefined,
): Node | undefined {
  const { grammar } = conversion;
  let members = others;
  let mayEnd = true;
  for (const { member, required } of properties.toReversed()) {
    const more = members && afterComma(grammar, members);
    const next = more === undefined ? EMPTY : grammar.rule(mayEnd ? choice([EMPTY, more]) : more);
    const taken = sequence(member, next);
    members = grammar.rule(required || !members ? taken : choice([taken, members]));
    if (required) mayEnd = false;
  }
  return members;
}

function otherMembers(conversion: Conversion, names: readonly string[], schema: unknown, place: Place): Node {
  const { grammar } = conversion;
  const content = conversion.convert(schema, inside(place, 'additionalProperties'));
  const key = keyOtherThan(grammar, names);
  const member = grammar.rule(sequence(key, text(':'), blanks(grammar), content));
  return grammar.rule(sequence(member, repeated(grammar, afterComma(grammar, member), 0, undefined)));
}

function propertiesOf(schema: SchemaObject, place: Place): Map<string, unknown> {
  const properties = own(schema, 'properties');
  if (properties === undefined) return new Map();
  if (!isSchemaObject(properties)) refuse(place, "'properties' must be an object");
  return new Map(Object.entries(properties));
}

function requiredOf(schema: SchemaObject, place: Place): Set<string> {
  const names = listAt(schema, 'required', place) ?? [];
  if (!names.every((name) => typeof name === 'string')) refuse(place, "'required' must be a list of names");
  return new Set(names as readonly string[]);
}

/** `propertyNames` that says no more than JSON itself does: generators write it for maps. */
function checkPropertyNames(schema: SchemaObject, place: Place): void {
  const names = own(schema, 'propertyNames');
  const saysNothing =
    names === undefined ||
    names === true ||
    (isSchemaObject(names) && Object.keys(names).every((key) => key === 'type' && names[key] === 'string'));
  if (!saysNothing) refuse(place, "'propertyNames' is not supported");
}
