import { expect } from 'vitest';
import { schemaToGrammar } from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { Gbnf } from './gbnf.ts';
import { compilesNatively } from './native-grammar.ts';

export { randomFrom } from './random.ts';

export const PARAM = 'response_format.json_schema.schema';

/** The grammar of a schema, which llama.cpp must be able to compile. */
export function grammarOf(schema: unknown): Gbnf {
  return readGrammar(schemaToGrammar(schema, { param: PARAM }));
}

export function readGrammar(source: string): Gbnf {
  if (compilesNatively) expect(compilesNatively(source), source).toBe(true);
  return new Gbnf(source);
}
