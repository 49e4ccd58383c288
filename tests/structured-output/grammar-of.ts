import { expect } from 'vitest';
import { schemaToGrammar } from '../../src/tokenizer-manager/structured-output/schema-to-grammar.ts';
import { Gbnf } from './gbnf.ts';
import { compilesNatively } from './native-grammar.ts';

export const PARAM = 'response_format.json_schema.schema';

/** The grammar of a schema, which llama.cpp must be able to compile. */
export function grammarOf(schema: unknown): Gbnf {
  return readGrammar(schemaToGrammar(schema, { param: PARAM }));
}

export function readGrammar(source: string): Gbnf {
  if (compilesNatively) expect(compilesNatively(source), source).toBe(true);
  return new Gbnf(source);
}

/** A repeatable source of numbers from 0 to below 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
