import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Clone, Default } from 'typebox/value';
import { parseByteSize } from '../shared/byte-size.ts';
import { failure } from '../shared/errors.ts';

/**
 * What every option of a backend says of itself, for who reads the list of options. One with a `default` is filled in
 * where it is absent; one that is optional says in `absent` what then holds; any other is required.
 */
export interface OptionText extends TSchemaOptions {
  description: string;
  absent?: string;
}

/** Bytes, as a number or as a text such as "20GB". */
export function byteSize(text: OptionText) {
  return Type.Refine(
    Type.Union([Type.Number(), Type.String()], text),
    (value) => bytesOf(value) >= 0,
    () => 'must be a number of bytes or a text such as "20GB" or "4GiB"',
  );
}

/** The bytes of a {@link byteSize}; NaN for anything else. */
export function bytesOf(value: number | string): number {
  const bytes = typeof value === 'number' ? value : (parseByteSize(value) ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : Number.NaN;
}

const validators = new WeakMap<TSchema, Validator>();

function validatorOf(schema: TSchema): Validator {
  let validator = validators.get(schema);
  if (!validator) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  return validator;
}

/**
 * The configuration with its defaults, when it is what the schema says. Throws `storage_config` with the path of what is
 * wrong and what was expected there, never with the value: it may be a secret.
 */
export function validConfig<S extends TSchema>(backend: string, schema: S, given: unknown): Static<S> {
  const validator = validatorOf(schema);
  // To fill defaults in takes a copy, and a copy loses a key of this name instead of refusing it.
  const fills = isObject(given) && !Object.hasOwn(given, '__proto__');
  const config = fills ? Default(schema, Clone(given)) : given;
  if (validator.Check(config)) return config as Static<S>;
  const errors = validator.Errors(config).filter(({ keyword }) => keyword !== 'boolean');
  const error = mostTelling(errors);
  const place = error?.instancePath.replaceAll('/', '.').slice(1) ?? '';
  const inside = (name: string) => (place === '' ? name : `${place}.${name}`);
  if (error?.keyword === 'additionalProperties') {
    const known = namesAt(schema, error.instancePath.split('/').slice(1)).join(', ');
    const path = inside(error.params.additionalProperties[0] ?? '');
    throw failure('storage_config', {
      backend,
      path,
      expected: `is not known here; known are: ${known || 'none'}`,
    });
  }
  if (error?.keyword === 'required')
    throw failure('storage_config', {
      backend,
      path: inside(error.params.requiredProperties[0] ?? ''),
      expected: 'is required',
    });
  const types = errors.filter(
    ({ keyword, instancePath }) => keyword === 'type' && instancePath === error?.instancePath,
  );
  const expected =
    types.length > 0
      ? `must be ${types.map(({ params }) => String(Object(params).type)).join(' or ')}`
      : error?.message;
  throw failure('storage_config', { backend, path: place, expected: expected ?? 'must be valid' });
}

/** Of a value that may be several things, what is wrong inside of it: it was meant as that one. */
function mostTelling<E extends { keyword: string; instancePath: string }>(
  errors: readonly E[],
): E | undefined {
  const [first] = errors;
  if (first?.keyword !== 'type') return first;
  const inside = errors.find(
    ({ keyword, instancePath }) =>
      instancePath.startsWith(`${first.instancePath}/`) ||
      (instancePath === first.instancePath && ['additionalProperties', 'required'].includes(keyword)),
  );
  return inside ?? first;
}

interface Part {
  properties?: Record<string, Part>;
  anyOf?: Part[];
  items?: Part;
}

/** The options that there are at some place of a schema. */
function namesAt(schema: Part, path: readonly string[]): string[] {
  const [name, ...rest] = path;
  const forms = [schema, ...(schema.anyOf ?? [])];
  if (name === undefined) return forms.flatMap(({ properties }) => Object.keys(properties ?? {}));
  return forms.flatMap(({ properties, items }) => namesAt(properties?.[name] ?? items ?? {}, rest));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
