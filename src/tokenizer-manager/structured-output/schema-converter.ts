import { arraySchema } from './array-schema.ts';
import type { Conversion } from './conversion.ts';
import { enumSchema } from './enum-schema.ts';
import { choice, type Grammar, type Node, type RuleNode, text } from './grammar.ts';
import { anyBoolean, anyValue } from './json-rules.ts';
import { constraintsOf, refuseBeside, type SchemaType, typesOf } from './keywords.ts';
import { LIMITS } from './limits.ts';
import { mergeSchemas } from './merge-schemas.ts';
import { integerSchema, numberSchema } from './number-schema.ts';
import { objectSchema } from './object-schema.ts';
import {
  checkDepth,
  inside,
  isSchemaObject,
  listAt,
  own,
  type Place,
  refuse,
  type SchemaObject,
} from './schema-place.ts';
import { findReference } from './schema-references.ts';
import { stringSchema } from './string-schema.ts';

/**
 * Turns the schemas of one document into rules, one for each. A queue holds those that were met but not yet
 * converted, so that neither recursion nor depth in a schema becomes depth of the call stack.
 */
export class SchemaConverter implements Conversion {
  readonly grammar: Grammar;
  readonly #document: unknown;
  readonly #param: string;
  readonly #rules = new Map<SchemaObject, RuleNode>();
  readonly #waiting: { rule: RuleNode; schema: SchemaObject; place: Place }[] = [];
  readonly #spent = new Map<keyof typeof LIMITS, number>();

  constructor(grammar: Grammar, document: unknown, param: string) {
    this.grammar = grammar;
    this.#document = document;
    this.#param = param;
  }

  /** Converts a schema of the document and all that it refers to. */
  convertAll(schema: unknown): Node {
    const place: Place = { path: '#', depth: 0, param: this.#param };
    checkDepth(schema, place);
    const root = this.convert(schema, place);
    for (let next = this.#waiting.pop(); next; next = this.#waiting.pop()) {
      this.grammar.define(next.rule, this.#content(next.schema, next.place));
    }
    return root;
  }

  convert(schema: unknown, place: Place): Node {
    if (schema === true) return anyValue(this.grammar);
    if (schema === false) return refuse(place, 'no value can satisfy false');
    if (!isSchemaObject(schema)) return refuse(place, 'a schema must be an object or a boolean');
    const known = this.#rules.get(schema);
    if (known) return known;
    if (place.depth > LIMITS.depth) refuse(place, `nested more than ${LIMITS.depth} levels deep`);
    this.spend('schemas', 1, place);
    const rule = this.grammar.reserve({ path: place.path, param: place.param });
    this.#rules.set(schema, rule);
    this.#waiting.push({ rule, schema, place });
    return rule;
  }

  spend(limit: keyof typeof LIMITS, amount: number, place: Place): void {
    const spent = (this.#spent.get(limit) ?? 0) + amount;
    this.#spent.set(limit, spent);
    if (spent > LIMITS[limit])
      refuse(place, `the limit of ${LIMITS[limit]} for ${WHAT[limit] ?? limit} is exceeded`);
  }

  #content(schema: SchemaObject, place: Place): Node {
    const constraints = constraintsOf(schema, place);
    if (own(schema, '$ref') !== undefined) {
      refuseBeside('$ref', [], schema, place);
      const target = findReference(this.#document, own(schema, '$ref'), place);
      return this.convert(target.schema, target.place);
    }
    if (own(schema, 'allOf') !== undefined) return this.#all(schema, place);
    for (const keyword of ['anyOf', 'oneOf']) {
      if (own(schema, keyword) !== undefined) return this.#any(keyword, schema, place);
    }
    const listed = enumSchema(this, schema, place);
    if (listed) return listed;
    if (constraints.length === 0) return anyValue(this.grammar);
    const types = typesOf(schema, place) ?? [];
    return choice(types.map((type) => this.#ofType(type, schema, place)));
  }

  #ofType(type: SchemaType, schema: SchemaObject, place: Place): Node {
    switch (type) {
      case 'string':
        return stringSchema(this.grammar, schema, place);
      case 'integer':
        return integerSchema(this.grammar, schema, place);
      case 'number':
        return numberSchema(this.grammar, schema, place);
      case 'boolean':
        return anyBoolean(this.grammar);
      case 'null':
        return text('null');
      case 'object':
        return objectSchema(this, schema, place);
      case 'array':
        return arraySchema(this, schema, place);
      default:
        return type satisfies never;
    }
  }

  #any(keyword: string, schema: SchemaObject, place: Place): Node {
    const branches = listAt(schema, keyword, place) ?? [];
    if (branches.length === 0) refuse(place, `no value can satisfy an empty '${keyword}'`);
    const base = without(schema, keyword);
    const isBare = constraintsOf(base, place).length === 0;
    const possible = branches.map((branch, index) => ({ branch, at: inside(place, keyword, index) }));
    const nodes = possible
      .filter(({ branch }) => branch !== false)
      .map(({ branch, at }) => this.convert(isBare ? branch : { allOf: [base, branch] }, at));
    return nodes.length > 0 ? choice(nodes) : refuse(place, `no value can satisfy '${keyword}'`);
  }

  #all(schema: SchemaObject, place: Place): Node {
    const parts = listAt(schema, 'allOf', place) ?? [];
    if (parts.length === 0) refuse(place, "'allOf' must not be empty");
    const base = without(schema, 'allOf');
    const [only] = parts;
    if (parts.length === 1 && constraintsOf(base, place).length === 0)
      return this.convert(only, inside(place, 'allOf', 0));
    const merged = parts.reduce<SchemaObject>(
      (sum, part, index) => mergeSchemas(sum, this.#resolved(part, inside(place, 'allOf', index)), place),
      base,
    );
    return this.convert(merged, { ...place, depth: place.depth + 1 });
  }

  /** The schema that a chain of references leads to. */
  #resolved(schema: unknown, place: Place): SchemaObject {
    let at = { schema, place };
    const seen = new Set<unknown>();
    while (isSchemaObject(at.schema) && own(at.schema, '$ref') !== undefined) {
      if (seen.has(at.schema)) refuse(place, 'it refers to itself without anything in between');
      seen.add(at.schema);
      refuseBeside('$ref', [], at.schema, at.place);
      at = findReference(this.#document, own(at.schema, '$ref'), at.place);
    }
    if (at.schema === true) return {};
    if (at.schema === false) return refuse(at.place, 'no value can satisfy false');
    return isSchemaObject(at.schema)
      ? at.schema
      : refuse(at.place, 'a schema must be an object or a boolean');
  }
}

const WHAT: Partial<Record<keyof typeof LIMITS, string>> = {
  enumValues: 'enum values',
  literalCharacters: 'characters in names and enum values',
};

function without(schema: SchemaObject, key: string): SchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([other]) => other !== key));
}
