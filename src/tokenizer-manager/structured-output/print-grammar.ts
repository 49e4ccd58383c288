import type { CodePointRange } from './code-points.ts';
import type { Grammar, Node } from './grammar.ts';

/** Writes the rules as GBNF (llama.cpp's grammars/README.md), one line for each. */
export function printGrammar(grammar: Grammar, root: Node): string {
  let out = `root ::= ${print(root)}\n`;
  for (const [name, node] of grammar.rules) out += `${name} ::= ${print(node)}\n`;
  return out;
}

function print(node: Node): string {
  switch (node.kind) {
    case 'text':
      return `"${Array.from(node.text, (c) => escapeCharacter(c.codePointAt(0)!, '"\\')).join('')}"`;
    case 'class':
      return `[${node.ranges.map(printRange).join('')}]`;
    case 'rule':
      return node.name;
    case 'sequence':
      return node.items.map(printItem).join(' ');
    case 'choice':
      return node.items.map(print).join(' | ');
    case 'repeat':
      return `${printItem(node.item)}${quantifier(node.min, node.max)}`;
  }
}

function printItem(node: Node): string {
  return node.kind === 'choice' || node.kind === 'sequence' ? `(${print(node)})` : print(node);
}

function printRange([first, last]: CodePointRange): string {
  const from = escapeCharacter(first, '\\[]-');
  return first === last ? from : `${from}-${escapeCharacter(last, '\\[]-')}`;
}

/** Characters outside of ASCII are written as numbers, so that invisible ones do not depend on the reader. */
function escapeCharacter(codePoint: number, special: string): string {
  const character = String.fromCodePoint(codePoint);
  if (special.includes(character)) return `\\${character}`;
  if (codePoint >= 0x20 && codePoint < 0x7f && character !== '^') return character;
  if (codePoint <= 0xff) return `\\x${hex(codePoint, 2)}`;
  return codePoint <= 0xffff ? `\\u${hex(codePoint, 4)}` : `\\U${hex(codePoint, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

function quantifier(min: number, max: number | undefined): string {
  if (max === undefined) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  if (min === 0 && max === 1) return '?';
  return min === max ? `{${min}}` : `{${min},${max}}`;
}
