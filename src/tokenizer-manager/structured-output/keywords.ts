import { own, type Place, refuse, type SchemaObject } from './schema-place.ts';

const TYPES = ['string', 'integer', 'number', 'boolean', 'null', 'object', 'array'] as const;
export type SchemaType = (typeof TYPES)[number];

/** Keywords that say nothing about the value. */
const ANNOTATIONS = new Set([
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
]);

const COMBINATIONS = new Set(['type', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf']);

const NUMBERS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];

/** The keywords of each type; JSON Schema lets them say nothing about values of other types. */
const BY_TYPE: Record<SchemaType, readonly string[]> = {
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  integer: NUMBERS,
  number: NUMBERS,
  boolean: [],
  null: [],
  object: ['properties', 'required', 'additionalProperties', 'propertyNames'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
};

const SUPPORTED = new Set([...ANNOTATIONS, ...COMBINATIONS, ...Object.values(BY_TYPE).flat()]);

/** The keys that constrain the value. @throws `unsupported_schema` naming the first one that is not supported */
export function constraintsOf(schema: SchemaObject, place: Place): string[] {
  const keys = Object.keys(schema).filter((key) => schema[key] !== undefined);
  for (const key of keys) if (!SUPPORTED.has(key)) refuse(place, `'${key.slice(0, 60)}' is not supported`);
  return keys.filter((key) => !ANNOTATIONS.has(key));
}

/** Refuses what stands beside `keyword`, save what is in `allowed`. */
export function refuseBeside(
  keyword: string,
  allowed: readonly string[],
  schema: SchemaObject,
  place: Place,
): void {
  const other = constraintsOf(schema, place).find((key) => key !== keyword && !allowed.includes(key));
  if (other) refuse(place, `'${other}' beside '${keyword}' is not supported`);
}

/**
 * The types that `type` allows. Without it, those that the other keywords speak of: JSON Schema would allow any
 * value of other types as well, which nobody means. `undefined` if nothing is said at all.
 */
export function typesOf(schema: SchemaObject, place: Place): readonly SchemaType[] | undefined {
  const given = own(schema, 'type');
  if (given === undefined) {
    const inferred = TYPES.filter((type) => BY_TYPE[type].some((key) => own(schema, key) !== undefined));
    return inferred.length > 0 ? withoutRepeats(inferred) : undefined;
  }
  const types = (Array.isArray(given) ? given : [given]) as unknown[];
  for (const type of types) {
    if (!isType(type))
      refuse(
        place,
        `${typeof type === 'string' ? `type '${type.slice(0, 60)}'` : 'a type that is no name'} is not supported`,
      );
  }
  if (types.length === 0) refuse(place, 'no value can satisfy an empty list of types');
  return withoutRepeats(types as SchemaType[]);
}

function withoutRepeats(types: readonly SchemaType[]): readonly SchemaType[] {
  return [...new Set(types)].filter((type) => type !== 'integer' || !types.includes('number'));
}

function isType(value: unknown): value is SchemaType {
  return (TYPES as readonly unknown[]).includes(value);
}
