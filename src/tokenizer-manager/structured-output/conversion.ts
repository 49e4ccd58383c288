import type { Grammar, Node } from './grammar.ts';
import type { LIMITS } from './limits.ts';
import type { Place } from './schema-place.ts';

/** What the converters of single types need from the whole conversion. */
export interface Conversion {
  readonly grammar: Grammar;
  /** The rule for values of a schema inside of this one. */
  convert(schema: unknown, place: Place): Node;
  /** Counts towards a limit of the whole document. @throws `unsupported_schema` above it */
  spend(limit: keyof typeof LIMITS, amount: number, place: Place): void;
}
