import { failure } from '../../shared/errors.ts';
import { checkGrammar } from './check-grammar.ts';
import { Grammar, type Node } from './grammar.ts';
import { anyObject } from './json-rules.ts';
import { LIMITS } from './limits.ts';
import { printGrammar } from './print-grammar.ts';
import { SchemaConverter } from './schema-converter.ts';

interface SchemaOptions {
  /** The request field that holds the schema, for error messages. */
  param: string;
  /** Narrows the schema to objects, as the parameters of a function are. */
  objectOnly?: boolean;
}

/**
 * GBNF for the JSON texts that satisfy a JSON Schema: what OpenAI's structured outputs allow of draft 2020-12.
 * The grammar takes valid values only, and not all of them: properties keep their order, and blanks and digits
 * have an end. `oneOf` is read as `anyOf`.
 *
 * @throws `unsupported_schema` naming the keyword or the contradiction, and its place
 */
export function schemaToGrammar(schema: unknown, options: SchemaOptions): string {
  const grammar = new Grammar();
  return finishGrammar(grammar, addSchema(grammar, schema, options), options.param);
}

/** GBNF for any JSON object. */
export function jsonObjectGrammar(): string {
  const grammar = new Grammar();
  return finishGrammar(grammar, anyObject(grammar), '');
}

/** Adds the rules of one schema to a grammar with more in it. @throws `unsupported_schema` */
export function addSchema(grammar: Grammar, schema: unknown, options: SchemaOptions): Node {
  const root = options.objectOnly ? { allOf: [schema, { type: 'object' }] } : schema;
  return new SchemaConverter(grammar, schema, options.param).convertAll(root);
}

/** Checks the grammar and writes it. @throws `unsupported_schema` */
export function finishGrammar(grammar: Grammar, content: Node, param: string): string {
  const root = grammar.rule(content);
  checkGrammar(grammar, root, param);
  const printed = printGrammar(grammar, root);
  if (printed.length > LIMITS.grammarBytes) {
    throw failure(
      'unsupported_schema',
      { path: '#', reason: 'the grammar made of it is too large' },
      { param },
    );
  }
  return printed;
}
