import { isSchemaObject, type Place, refuse, type SchemaObject } from './schema-place.ts';

interface Target {
  schema: unknown;
  place: Place;
}

/**
 * Follows a `$ref` into its own document (`#` or a JSON pointer, RFC 6901).
 * @throws `unsupported_schema` if it leads out of the document, or to nowhere
 */
export function findReference(document: unknown, reference: unknown, place: Place): Target {
  if (typeof reference !== 'string') return refuse(place, "'$ref' must be a string");
  const shown = reference.slice(0, 100);
  if (reference !== '#' && !reference.startsWith('#/')) {
    refuse(place, `$ref '${shown}' is not supported: only '#' and '#/...' are`);
  }
  let schema = document;
  for (const step of reference.split('/').slice(1)) {
    const key = unescapeStep(step);
    if (!isContainer(schema) || !Object.hasOwn(schema, key))
      refuse(place, `$ref '${shown}' leads to nowhere`);
    schema = (schema as SchemaObject)[key];
  }
  return { schema, place: { path: reference, depth: 0, param: place.param } };
}

function isContainer(value: unknown): value is object {
  return isSchemaObject(value) || Array.isArray(value);
}

function unescapeStep(step: string): string {
  let key = step;
  try {
    key = decodeURIComponent(step);
  } catch {
    // A percent sign that escapes nothing is an ordinary character of the name.
  }
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
