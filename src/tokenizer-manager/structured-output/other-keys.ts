import { type CodePointRange, subtractRanges } from './code-points.ts';
import { choice, type Grammar, type Node, oneOf, type RuleNode, sequence, text } from './grammar.ts';
import { anyString, RAW_CHARACTERS } from './json-rules.ts';
import { repeated } from './repetition.ts';
import { type WordTree, wordTree } from './word-tree.ts';

const ESCAPES = ['\\"', '\\\\', '\\b', '\\f', '\\n', '\\r', '\\t'];

/**
 * A property name, quoted, that is none of `names`. Such names have one spelling only (no `\u`, no `\/`):
 * otherwise `"\u0061"` would be a second way to write `"a"`.
 */
export function keyOtherThan(grammar: Grammar, names: readonly string[]): Node {
  if (names.length === 0) return anyString(grammar);
  const tree = wordTree(names.map(units).filter((word) => word.every(isAvailable)));
  const tail = grammar.shared('other-key-tail', () =>
    sequence(repeated(grammar, unitExcept([]), 0, undefined), text('"')),
  );
  return sequence(text('"'), keysFrom(grammar, tree, tail));
}

function keysFrom(grammar: Grammar, tree: WordTree, tail: RuleNode): Node {
  const rule = grammar.reserve();
  const todo: [RuleNode, WordTree][] = [[rule, tree]];
  for (let entry = todo.pop(); entry; entry = todo.pop()) {
    const [at, { ends, next }] = entry;
    const branches: Node[] = [sequence(unitExcept([...next.keys()]), tail)];
    if (!ends) branches.push(text('"'));
    for (const [unit, child] of next) {
      const below = grammar.reserve();
      todo.push([below, child]);
      branches.push(sequence(text(unit), below));
    }
    grammar.define(at, choice(branches));
  }
  return rule;
}

/** A name as JSON.stringify spells it, cut into characters and escapes. */
function units(name: string): string[] {
  return (
    JSON.stringify(name)
      .slice(1, -1)
      .match(/\\u[0-9a-f]{4}|\\.|[^\\]/gu) ?? []
  );
}

function isAvailable(unit: string): boolean {
  return !unit.startsWith('\\') || ESCAPES.includes(unit);
}

function unitExcept(excluded: readonly string[]): Node {
  const raw = excluded
    .filter((unit) => !unit.startsWith('\\'))
    .map((unit): CodePointRange => [unit.codePointAt(0)!, unit.codePointAt(0)!]);
  const escapes = ESCAPES.filter((unit) => !excluded.includes(unit));
  return choice([oneOf(subtractRanges(RAW_CHARACTERS, raw)), ...escapes.map(text)]);
}
