import { isDeepStrictEqual } from 'node:util';
import { constraintsOf, type SchemaType, typesOf } from './keywords.ts';
import { isSchemaObject, own, type Place, refuse, type SchemaObject } from './schema-place.ts';

/** Keywords of which the larger, or the smaller, of two values decides. */
const LARGER = new Set(['minimum', 'exclusiveMinimum', 'minLength', 'minItems']);
const SMALLER = new Set(['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems']);

/**
 * One schema for the values that satisfy both. A property that both declare becomes an `allOf` of the two.
 * @throws `unsupported_schema` where the two cannot be made one
 */
export function mergeSchemas(a: SchemaObject, b: SchemaObject, place: Place): SchemaObject {
  const merged = new Map<string, unknown>();
  for (const key of constraintsOf(a, place)) merged.set(key, a[key]);
  for (const key of constraintsOf(b, place)) {
    merged.set(key, merged.has(key) ? mergeKeyword(key, merged.get(key), b[key], place) : b[key]);
  }
  const types = mergeTypes(a, b, place);
  if (types) merged.set('type', types);
  checkClosed(a, b, place);
  checkClosed(b, a, place);
  return Object.fromEntries(merged);
}

function mergeKeyword(key: string, a: unknown, b: unknown, place: Place): unknown {
  if (key === 'type' || isDeepStrictEqual(a, b)) return a;
  if (key === 'properties' && isSchemaObject(a) && isSchemaObject(b)) {
    const both = new Map(Object.entries(a));
    for (const [name, schema] of Object.entries(b)) {
      both.set(name, both.has(name) ? { allOf: [both.get(name), schema] } : schema);
    }
    return Object.fromEntries(both);
  }
  if (key === 'required' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  if (key === 'allOf' && Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  if (typeof a === 'number' && typeof b === 'number') {
    if (LARGER.has(key)) return Math.max(a, b);
    if (SMALLER.has(key)) return Math.min(a, b);
  }
  return refuse(place, `two different '${key}' at once are not supported`);
}

function mergeTypes(a: SchemaObject, b: SchemaObject, place: Place): readonly SchemaType[] | undefined {
  if (own(a, 'type') === undefined && own(b, 'type') === undefined) return undefined;
  const [ofA, ofB] = [typesOf(a, place), typesOf(b, place)];
  if (!ofA || !ofB) return ofA ?? ofB;
  const accepts = (types: readonly SchemaType[], type: SchemaType) =>
    types.includes(type) || (type === 'integer' && types.includes('number'));
  const both = [...ofA.filter((type) => accepts(ofB, type)), ...ofB.filter((type) => accepts(ofA, type))];
  return both.length > 0 ? [...new Set(both)] : refuse(place, 'no value has both types');
}

/** `additionalProperties` speaks of the properties beside it only: those of the other schema would fall under it. */
function checkClosed(a: SchemaObject, b: SchemaObject, place: Place): void {
  if ((own(a, 'additionalProperties') ?? true) === true) return;
  const declared = own(a, 'properties');
  const others = own(b, 'properties');
  if (!isSchemaObject(others)) return;
  const foreign = Object.keys(others).find(
    (name) => !isSchemaObject(declared) || !Object.hasOwn(declared, name),
  );
  if (foreign === undefined) return;
  refuse(
    place,
    `'additionalProperties' is not supported where another schema adds '${foreign.slice(0, 60)}'`,
  );
}
