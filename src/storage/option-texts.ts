import type { TSchema } from 'typebox';

/** One option of a backend, in words. */
export interface OptionRow {
  /** With those that it lies in before it, as `tls.ca`. */
  name: string;
  type: string;
  /** What holds where it is absent. */
  otherwise: string;
  description: string;
}

/** The parts of JSON Schema that options are made of. */
interface Schema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  default?: unknown;
  description?: string;
  absent?: string;
}

/** Every option of a schema, those inside of others too, in its order. */
export function describeOptions(options: TSchema): OptionRow[] {
  return rows(options as Schema, '');
}

function rows({ properties = {}, required = [] }: Schema, path: string): OptionRow[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const name = path + key;
    const row = {
      name,
      type: typeOf(schema),
      otherwise: otherwise(schema, required.includes(key)),
      description: schema.description ?? '',
    };
    const forms = [schema, ...(schema.anyOf ?? [])].flatMap((form) => rows(form, `${name}.`));
    return [row, ...forms, ...rows(schema.items ?? {}, `${name}[].`)];
  });
}

function typeOf(schema: Schema): string {
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.items) return `list of ${typeOf(schema.items)}`;
  return schema.type ?? 'anything';
}

function otherwise({ default: value, absent }: Schema, required: boolean): string {
  if (value !== undefined) return JSON.stringify(value);
  return required ? 'required' : (absent ?? '');
}
