import { subtractRanges } from './code-points.ts';
import {
  between,
  choice,
  EMPTY,
  type Grammar,
  type Node,
  oneOf,
  type RuleNode,
  sequence,
  text,
} from './grammar.ts';
import { optional, repeated } from './repetition.ts';

/** The code points that a JSON string may hold as they are (RFC 8259, section 7), as UTF-8 can encode them. */
export const RAW_CHARACTERS = subtractRanges(
  [[0x20, 0x10ffff]],
  [
    [0x22, 0x22],
    [0x5c, 0x5c],
  ],
);

/** Digits of a number without bounds: those of any double that JavaScript writes out, and of 64-bit integers. */
export const MAX_DIGITS = 21;
const MAX_FRACTION_DIGITS = 25;

/** Blanks between two tokens. They have an end: some models would otherwise go on with them for ever. */
export function blanks(grammar: Grammar): RuleNode {
  return grammar.shared('blanks', () =>
    choice([EMPTY, text(' '), sequence(text('\n'), repeated(grammar, oneOf(' \t'), 0, 20))]),
  );
}

/** One character of a string, in any of JSON's spellings; a surrogate only as one half of its pair. */
export function stringCharacter(grammar: Grammar): RuleNode {
  return grammar.shared('character', () => {
    const hex = hexDigit(grammar);
    const tail = (first: Node, count: number) => sequence(first, repeated(grammar, hex, count, count));
    const surrogates = sequence(
      oneOf('Dd'),
      tail(oneOf('89ABab'), 2),
      text('\\u'),
      oneOf('Dd'),
      tail(oneOf('CDEFcdef'), 2),
    );
    const codes = choice([
      tail(oneOf('0123456789ABCEFabcef'), 3),
      sequence(oneOf('Dd'), tail(between('0', '7'), 2)),
      surrogates,
    ]);
    const escaped = grammar.rule(choice([oneOf('"\\/bfnrt'), sequence(text('u'), codes)]));
    return choice([oneOf(RAW_CHARACTERS), sequence(text('\\'), escaped)]);
  });
}

function hexDigit(grammar: Grammar): RuleNode {
  return grammar.shared('hex', () => oneOf('0123456789ABCDEFabcdef'));
}

export function anyString(grammar: Grammar): RuleNode {
  return grammar.shared('string', () => quoted(repeated(grammar, stringCharacter(grammar), 0, undefined)));
}

export function quoted(content: Node): Node {
  return sequence(text('"'), content, text('"'));
}

export function anyInteger(grammar: Grammar): RuleNode {
  return grammar.shared('integer', () => {
    const digits = repeated(grammar, between('0', '9'), 0, MAX_DIGITS - 1);
    return sequence(optional(text('-')), choice([text('0'), sequence(between('1', '9'), digits)]));
  });
}

export function anyNumber(grammar: Grammar): RuleNode {
  return grammar.shared('number', () => {
    const fraction = sequence(text('.'), repeated(grammar, between('0', '9'), 1, MAX_FRACTION_DIGITS));
    // Two digits: no number of the grammar overflows a double.
    const exponent = sequence(oneOf('eE'), optional(oneOf('+-')), repeated(grammar, between('0', '9'), 1, 2));
    return sequence(anyInteger(grammar), optional(fraction), optional(exponent));
  });
}

export function anyBoolean(grammar: Grammar): RuleNode {
  return grammar.shared('boolean', () => choice([text('true'), text('false')]));
}

export function anyValue(grammar: Grammar): RuleNode {
  return grammar.shared('value', () =>
    choice([
      anyObject(grammar),
      anyArray(grammar),
      anyString(grammar),
      anyNumber(grammar),
      anyBoolean(grammar),
      text('null'),
    ]),
  );
}

export function anyObject(grammar: Grammar): RuleNode {
  return grammar.shared('object', () => {
    const member = grammar.rule(sequence(anyString(grammar), text(':'), blanks(grammar), anyValue(grammar)));
    return enclosed(
      grammar,
      '{',
      sequence(member, repeated(grammar, afterComma(grammar, member), 0, undefined)),
      '}',
      true,
    );
  });
}

function anyArray(grammar: Grammar): RuleNode {
  return grammar.shared('array', () => {
    const value = anyValue(grammar);
    return enclosed(
      grammar,
      '[',
      sequence(value, repeated(grammar, afterComma(grammar, value), 0, undefined)),
      ']',
      true,
    );
  });
}

export function afterComma(grammar: Grammar, node: Node): Node {
  return sequence(text(','), blanks(grammar), node);
}

/** Brackets around a list; `content` must hold something, and `canBeEmpty` says that it may be left out. */
export function enclosed(
  grammar: Grammar,
  open: string,
  content: Node,
  close: string,
  canBeEmpty: boolean,
): Node {
  const inner = sequence(content.kind === 'choice' ? grammar.rule(content) : content, blanks(grammar));
  return sequence(text(open), blanks(grammar), canBeEmpty ? optional(inner) : inner, text(close));
}
