import { formatPattern } from './formats.ts';
import type { Grammar, Node } from './grammar.ts';
import { quoted, stringCharacter } from './json-rules.ts';
import { LIMITS } from './limits.ts';
import { type AnchoredRegex, sizeOf } from './regex.ts';
import { regexContent } from './regex-grammar.ts';
import { parseRegex } from './regex-parser.ts';
import { repeated } from './repetition.ts';
import { countAt, type Place, refuse, type SchemaObject, stringAt } from './schema-place.ts';

/**
 * Strings of a length, or of a `pattern` or `format`. Where both of these are given, the pattern alone counts,
 * and must describe the whole string: JSON Schema 2020-12 calls `format` an annotation, and generators such as
 * Zod add the pattern that spells it out.
 *
 * @throws `unsupported_schema`
 */
export function stringSchema(grammar: Grammar, schema: SchemaObject, place: Place): Node {
  const min = countAt(schema, 'minLength', place) ?? 0;
  const max = countAt(schema, 'maxLength', place) ?? Infinity;
  if (min > max) refuse(place, "no string is as short as 'maxLength' and as long as 'minLength'");
  for (const length of [min, max]) {
    if (length > LIMITS.repetitions && length !== Infinity)
      refuse(place, `a length is above ${LIMITS.repetitions}`);
  }
  const { source, keyword } = patternOf(schema, place);
  if (source === undefined) {
    const character = stringCharacter(grammar);
    const upTo = max === Infinity ? undefined : max;
    return grammar.shared(`string ${min} ${upTo}`, () => quoted(repeated(grammar, character, min, upTo)));
  }
  try {
    const regex = parseRegex(source);
    checkAnchors(schema, regex, place);
    checkLengths(regex, min, max, place);
    return grammar.shared(`pattern ${source}`, () => quoted(regexContent(grammar, regex)));
  } catch (error) {
    if (error instanceof SyntaxError) refuse(place, `'${keyword}' is not supported: ${error.message}`);
    throw error;
  }
}

function patternOf(schema: SchemaObject, place: Place): { source: string | undefined; keyword: string } {
  const pattern = stringAt(schema, 'pattern', place);
  const format = stringAt(schema, 'format', place);
  if (pattern !== undefined || format === undefined) return { source: pattern, keyword: 'pattern' };
  const source = formatPattern(format);
  if (source === undefined) refuse(place, `format '${format.slice(0, 60)}' is not supported`);
  return { source, keyword: 'format' };
}

function checkAnchors(schema: SchemaObject, regex: readonly AnchoredRegex[], place: Place): void {
  const hasBoth =
    stringAt(schema, 'pattern', place) !== undefined && stringAt(schema, 'format', place) !== undefined;
  if (hasBoth && !regex.every(({ start, end }) => start && end)) {
    refuse(place, "a 'pattern' beside 'format' must begin with ^ and end with $");
  }
}

/** Lengths beside a pattern are accepted where every match has such a length anyway. */
function checkLengths(regex: readonly AnchoredRegex[], min: number, max: number, place: Place): void {
  for (const { start, end, body } of regex) {
    const size = sizeOf(body);
    if (size.min < min)
      refuse(place, "'minLength' is not supported beside a pattern or format with shorter matches");
    if ((start && end ? size.max : Infinity) > max) {
      refuse(place, "'maxLength' is not supported beside a pattern or format with longer matches");
    }
  }
}
