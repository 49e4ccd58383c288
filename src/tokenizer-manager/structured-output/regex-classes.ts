import { type CodePointRange, complementRanges } from './code-points.ts';

const DIGIT: CodePointRange[] = [[0x30, 0x39]];
const WORD: CodePointRange[] = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_ENDS: CodePointRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
/** ECMA-262: WhiteSpace and LineTerminator. */
const SPACE: CodePointRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

const SETS: ReadonlyMap<string, readonly CodePointRange[]> = new Map([
  ['d', DIGIT],
  ['D', complementRanges(DIGIT)],
  ['w', WORD],
  ['W', complementRanges(WORD)],
  ['s', SPACE],
  ['S', complementRanges(SPACE)],
]);

const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['t', 0x09],
  ['n', 0x0a],
  ['v', 0x0b],
  ['f', 0x0c],
  ['r', 0x0d],
]);

/** What `.` matches: the `s` flag does not exist in JSON Schema. */
export const DOT = complementRanges(LINE_ENDS);

/** What follows a backslash: a set of characters or one of them, and how many characters of the pattern it took. */
export type Escape =
  | { readonly set: readonly CodePointRange[]; readonly length: number }
  | { readonly codePoint: number; readonly length: number };

/** Reads an escape that stands for characters; `undefined` if it is another kind, such as `\b` or `\1`. */
export function readEscape(afterBackslash: string): Escape | undefined {
  const letter = afterBackslash[0] ?? '';
  const set = SETS.get(letter);
  if (set) return { set, length: 1 };
  const control = CONTROLS.get(letter);
  if (control !== undefined) return { codePoint: control, length: 1 };
  const code = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\})/i.exec(afterBackslash);
  if (code) {
    const codePoint = Number.parseInt(code[1] ?? code[2] ?? code[3] ?? '', 16);
    const isCharacter = codePoint <= 0x10ffff && !(codePoint >= 0xd800 && codePoint <= 0xdfff);
    return isCharacter ? { codePoint, length: code[0].length } : undefined;
  }
  return /^[^0-9A-Za-z\s_]/.test(letter) ? { codePoint: letter.codePointAt(0)!, length: 1 } : undefined;
}
