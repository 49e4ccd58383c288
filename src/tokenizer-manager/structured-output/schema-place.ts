import { failure } from '../../shared/errors.ts';
import { LIMITS } from './limits.ts';

/** A schema that is an object. Its keys come from the client: read them with {@link own} only. */
export type SchemaObject = Readonly<Record<string, unknown>>;

/** Where a schema stands in its document. */
export interface Place {
  /** A JSON pointer such as `#/properties/a`. */
  readonly path: string;
  /** Schemas around it. */
  readonly depth: number;
  /** The request field that holds the document. */
  readonly param: string;
}

/**
 * Refuses a document so deep that a recursive function could run out of stack on it.
 * @throws `unsupported_schema`
 */
export function checkDepth(document: unknown, place: Place): void {
  let level = [document];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.jsonDepth) refuse(place, 'it is nested too deeply');
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
}

const LONGEST_PATH = 200;

export function inside(place: Place, ...keys: (string | number)[]): Place {
  const steps = keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`);
  return { ...place, path: place.path + steps.join(''), depth: place.depth + 1 };
}

/** @throws `unsupported_schema`, always */
export function refuse(place: Place, reason: string): never {
  const path = place.path.length > LONGEST_PATH ? `${place.path.slice(0, LONGEST_PATH)}...` : place.path;
  throw failure('unsupported_schema', { path, reason }, { param: place.param });
}

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schema's own value of that key: `constructor` and the like must not be found on the prototype. */
export function own(schema: SchemaObject, key: string): unknown {
  return Object.hasOwn(schema, key) ? schema[key] : undefined;
}

/** A count such as minLength. */
export function countAt(schema: SchemaObject, key: string, place: Place): number | undefined {
  const value = own(schema, key);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  return refuse(place, `'${key}' must be a whole number of zero or more`);
}

export function numberAt(schema: SchemaObject, key: string, place: Place): number | undefined {
  const value = own(schema, key);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return refuse(place, `'${key}' must be a number`);
}

export function stringAt(schema: SchemaObject, key: string, place: Place): string | undefined {
  const value = own(schema, key);
  if (value === undefined || typeof value === 'string') return value;
  return refuse(place, `'${key}' must be a string`);
}

/** A list of schemas, or of anything else. */
export function listAt(schema: SchemaObject, key: string, place: Place): readonly unknown[] | undefined {
  const value = own(schema, key);
  if (value === undefined || Array.isArray(value)) return value;
  return refuse(place, `'${key}' must be a list`);
}
