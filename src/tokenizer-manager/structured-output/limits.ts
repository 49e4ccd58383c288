/**
 * What one schema may cost. llama.cpp compiles the grammar on the server's own thread and walks it at every
 * token, so each limit stops a schema before it can slow down everybody's requests. Those of depth, properties,
 * enum values and literal characters are at or above what OpenAI documents for structured outputs.
 */
export const LIMITS = {
  /** Schemas inside of schemas; a `$ref` starts again from zero. */
  depth: 32,
  /** The same for any JSON value, in enum and const too. */
  jsonDepth: 200,
  /** Schemas in one document, those that merging creates included. */
  schemas: 10_000,
  properties: 5_000,
  enumValues: 5_000,
  /** Characters of all property names, enum and const values together. */
  literalCharacters: 120_000,
  /** Per object: each optional property is one more way on at every comma. */
  optionalProperties: 256,
  /** minLength, maxLength, minItems, maxItems. */
  repetitions: 1_000_000,
  patternLength: 1_000,
  patternNesting: 16,
  /** Characters that a pattern can tell apart once its counted repetitions are written out. */
  patternPositions: 1_000,
  grammarBytes: 256 * 1024,
  /** Elements of the compiled grammar, counted repetitions written out. */
  elements: 500_000,
  /** Ways to begin one rule, and the rules on the way: llama.cpp follows and remembers each one separately. */
  beginnings: 1_000,
  /** The same, summed over all rules: the cost of llama.cpp's search for left recursion. */
  totalBeginnings: 2_000_000,
  /** Rules that begin with a rule that begins with a rule...: the depth of the same search, which recurses. */
  beginningDepth: 500,
  /**
   * Stacks that llama.cpp holds at once while a grammar is ambiguous. To find the allowed tokens of a vocabulary of
   * 128 000 it took 0.8 ms for each, and of 1 000 tokens 0.014 ms.
   */
  stacks: 600,
  /**
   * Ways through an ambiguous grammar within one token, before which llama.cpp does not notice that stacks are equal.
   * With tokens of 96 dashes it took 80 ms for the three loops of `-*-*-*`, and a second for four.
   */
  ways: 10_000,
} as const;
