import { type CodePointRange, rangesInclude, subtractRanges } from './code-points.ts';
import { choice, EMPTY, type Grammar, type Node, oneOf, sequence, text } from './grammar.ts';
import { RAW_CHARACTERS, stringCharacter } from './json-rules.ts';
import { LIMITS } from './limits.ts';
import { type AnchoredRegex, type Regex, sizeOf } from './regex.ts';
import { optional, repeated } from './repetition.ts';

const NOT_RAW = subtractRanges([[0, 0x10ffff]], RAW_CHARACTERS);

/** JSON's two-character escapes, by the character that each one stands for. */
const SHORT_ESCAPES: readonly (readonly [codePoint: number, escape: string])[] = [
  '"',
  '\\',
  '\b',
  '\f',
  '\n',
  '\r',
  '\t',
].map((character) => [character.charCodeAt(0), JSON.stringify(character).slice(1, -1)]);

/**
 * The content of a JSON string that matches one of the alternatives. An end without an anchor takes any
 * characters, as JSON Schema says.
 *
 * @throws SyntaxError that says what cannot be done
 */
export function regexContent(grammar: Grammar, alternatives: readonly AnchoredRegex[]): Node {
  const positions = alternatives.reduce((sum, { body }) => sum + sizeOf(body).positions, 0);
  if (positions > LIMITS.patternPositions) throw new SyntaxError('its repetitions add up to too much');
  const anything = repeated(grammar, stringCharacter(grammar), 0, undefined);
  return choice(
    alternatives.map((alternative) => {
      const items = needed(alternative).map((item) => toNode(grammar, item));
      const { start, end } = alternative;
      if (!start && !end && items.length === 0) return anything;
      return sequence(start ? EMPTY : anything, ...items, end ? EMPTY : anything);
    }),
  );
}

/** Leaves out what may be empty beside an end that takes any characters: in `.*a` the same text has many readings. */
function needed({ start, body, end }: AnchoredRegex): readonly Regex[] {
  const items = body.kind === 'sequence' ? body.items : [body];
  const isNeeded = (item: Regex) => sizeOf(item).min > 0;
  const from = start ? 0 : items.findIndex(isNeeded);
  if (from < 0) return [];
  return items.slice(from, end ? items.length : items.findLastIndex(isNeeded) + 1);
}

function toNode(grammar: Grammar, regex: Regex): Node {
  switch (regex.kind) {
    case 'set':
      return stringCharacterIn(regex.set);
    case 'sequence':
      return sequence(...regex.items.map((item) => toNode(grammar, item)));
    case 'choice':
      return choice(regex.items.map((item) => toNode(grammar, item)));
    case 'repeat': {
      const item = toNode(grammar, regex.item);
      if (regex.min === 0 && regex.max === 1) return optional(item);
      if (sizeOf(regex.item).min === 0)
        throw new SyntaxError('a repeated group must not match an empty string');
      return repeated(grammar, item, regex.min, regex.max);
    }
  }
}

/** One character of the set in JSON's spelling. Control characters count only if they have a short escape. */
function stringCharacterIn(set: readonly CodePointRange[]): Node {
  const raw = subtractRanges(set, NOT_RAW);
  const escapes = SHORT_ESCAPES.filter(([codePoint]) => rangesInclude(set, codePoint)).map(([, spelling]) =>
    text(spelling),
  );
  const [only] = raw;
  const isSingle = raw.length === 1 && only![0] === only![1];
  const plain = isSingle ? text(String.fromCodePoint(only![0])) : oneOf(raw);
  const spellings = raw.length > 0 ? [plain, ...escapes] : escapes;
  if (spellings.length === 0) throw new SyntaxError('a character class has nothing that JSON text can show');
  return choice(spellings);
}
