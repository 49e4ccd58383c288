import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseByteSize } from '../shared/byte-size.ts';
import { failure } from '../shared/errors.ts';

/** Bytes, as a number or as a text such as "20GB". */
export const ByteSize = Type.Refine(
  Type.Union([Type.Number(), Type.String()]),
  (value) => bytesOf(value) >= 0,
  () => 'must be a number of bytes or a text such as "20GB" or "4GiB"',
);

/** The bytes of a {@link ByteSize}; NaN for anything else. */
export function bytesOf(value: number | string): number {
  const bytes = typeof value === 'number' ? value : (parseByteSize(value) ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : Number.NaN;
}

/**
 * The configuration, when it is what the schema says. Throws `storage_config` with the path of what is wrong and what
 * was expected there, never with the value: it may be a secret.
 */
export function validConfig<S extends TSchema>(backend: string, schema: S, config: unknown): Static<S> {
  const validator = Compile(schema);
  if (validator.Check(config)) return config as Static<S>;
  const errors = validator.Errors(config).filter(({ keyword }) => keyword !== 'boolean');
  const [error] = errors;
  const place = error?.instancePath.replaceAll('/', '.').slice(1) ?? '';
  const inside = (name: string) => (place === '' ? name : `${place}.${name}`);
  if (error?.keyword === 'additionalProperties') {
    const known = Object.keys((schema as { properties?: object }).properties ?? {}).join(', ');
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
