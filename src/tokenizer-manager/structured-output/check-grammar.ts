import { failure } from '../../shared/errors.ts';
import { findAmbiguity } from './ambiguity.ts';
import type { Grammar, Node, RuleNode } from './grammar.ts';
import { LIMITS } from './limits.ts';

/**
 * Refuses a grammar that llama.cpp would refuse, or that would cost too much, or that a model could never end.
 *
 * llama.cpp looks for left recursion by following every way to begin a rule, again for each way that leads
 * there: a few lines of nested `anyOf` can keep it busy for years, so those ways are counted first.
 *
 * @throws `unsupported_schema`
 */
export function checkGrammar(grammar: Grammar, root: RuleNode, param: string): void {
  const refuse = (rule: string | undefined, reason: string): never => {
    const origin = rule === undefined ? undefined : grammar.origins.get(rule);
    throw failure(
      'unsupported_schema',
      { path: origin?.path ?? '#', reason },
      { param: origin?.param ?? param },
    );
  };
  checkBeginnings(grammar, rulesWhere(grammar, canBeEmpty), refuse);
  checkEndings(grammar, refuse);
  let elements = countElements(root);
  for (const node of grammar.rules.values()) elements += countElements(node);
  if (elements > LIMITS.elements) refuse(undefined, 'the grammar made of it is too large');
  // At last: it counts on a grammar that is neither large nor left-recursive.
  const ambiguous = findAmbiguity(grammar, root);
  if (ambiguous !== undefined) refuse(ambiguous, 'too many of its alternatives begin alike');
}

type Refuse = (rule: string | undefined, reason: string) => never;

function checkEndings(grammar: Grammar, refuse: Refuse): void {
  const ending = rulesWhere(grammar, canEnd);
  let first: string | undefined;
  for (const name of grammar.rules.keys()) {
    if (ending.has(name)) continue;
    first ??= name;
    if (grammar.origins.has(name)) refuse(name, 'no value can satisfy it: its recursion has no end');
  }
  if (first !== undefined) refuse(first, 'no value can satisfy it: its recursion has no end');
}

function checkBeginnings(grammar: Grammar, empty: ReadonlySet<string>, refuse: Refuse): void {
  const known = new Map<string, { ways: number; depth: number }>();
  const active = new Set<string>();

  function ofRule(name: string): { ways: number; depth: number } {
    const seen = known.get(name);
    if (seen) return seen;
    if (active.has(name)) refuse(name, 'it refers to itself without anything in between');
    if (active.size > LIMITS.beginningDepth) refuse(name, 'too many references in a row');
    active.add(name);
    const inner = ofNode(grammar.rules.get(name)!);
    active.delete(name);
    const result = { ways: inner.ways + 1, depth: inner.depth + 1 };
    if (result.ways > LIMITS.beginnings) refuse(name, 'too many alternatives in one place');
    if (result.depth > LIMITS.beginningDepth) refuse(name, 'too many references in a row');
    known.set(name, result);
    return result;
  }

  function ofNode(node: Node): { ways: number; depth: number } {
    switch (node.kind) {
      case 'text':
      case 'class':
        return { ways: 1, depth: 0 };
      case 'rule':
        return ofRule(node.name);
      case 'repeat':
        return ofNode(node.item);
      case 'choice':
      case 'sequence': {
        let ways = 0;
        let depth = 0;
        for (const item of node.items) {
          const inner = ofNode(item);
          ways += inner.ways;
          depth = Math.max(depth, inner.depth);
          if (node.kind === 'sequence' && !canBeEmpty(item, empty)) break;
        }
        return { ways, depth };
      }
    }
  }

  let total = 0;
  for (const name of grammar.rules.keys()) {
    total += ofRule(name).ways;
    if (total > LIMITS.totalBeginnings) refuse(name, 'too many alternatives altogether');
  }
}

/** The rules of which `test` holds, where `test` may ask which rules are known to be in the result already. */
function rulesWhere(
  grammar: Grammar,
  test: (node: Node, known: ReadonlySet<string>) => boolean,
): ReadonlySet<string> {
  const usedBy = new Map<string, string[]>();
  for (const [name, node] of grammar.rules) {
    for (const used of rulesIn(node)) {
      const users = usedBy.get(used);
      if (users) users.push(name);
      else usedBy.set(used, [name]);
    }
  }
  const known = new Set<string>();
  const todo = [...grammar.rules.keys()];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (known.has(name) || !test(grammar.rules.get(name)!, known)) continue;
    known.add(name);
    for (const user of usedBy.get(name) ?? []) if (!known.has(user)) todo.push(user);
  }
  return known;
}

function rulesIn(node: Node, found = new Set<string>()): ReadonlySet<string> {
  if (node.kind === 'rule') found.add(node.name);
  else if (node.kind === 'repeat') rulesIn(node.item, found);
  else if (node.kind === 'sequence' || node.kind === 'choice')
    for (const item of node.items) rulesIn(item, found);
  return found;
}

function canBeEmpty(node: Node, empty: ReadonlySet<string>): boolean {
  switch (node.kind) {
    case 'text':
      return node.text === '';
    case 'class':
      return false;
    case 'rule':
      return empty.has(node.name);
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.item, empty);
    case 'choice':
      return node.items.some((item) => canBeEmpty(item, empty));
    case 'sequence':
      return node.items.every((item) => canBeEmpty(item, empty));
  }
}

function canEnd(node: Node, ending: ReadonlySet<string>): boolean {
  switch (node.kind) {
    case 'text':
    case 'class':
      return true;
    case 'rule':
      return ending.has(node.name);
    case 'repeat':
      return node.min === 0 || canEnd(node.item, ending);
    case 'choice':
      return node.items.some((item) => canEnd(item, ending));
    case 'sequence':
      return node.items.every((item) => canEnd(item, ending));
  }
}

/** llama.cpp writes `x{m,n}` out as m times x, and a rule for each of the n - m others. */
function countElements(node: Node): number {
  switch (node.kind) {
    case 'text':
      return node.text.length;
    case 'class':
      return 2 * node.ranges.length;
    case 'rule':
      return 1;
    case 'repeat':
      return (
        countElements(node.item) * node.min +
        (countElements(node.item) + 3) * ((node.max ?? node.min + 1) - node.min)
      );
    case 'choice':
    case 'sequence':
      return node.items.reduce((sum, item) => sum + countElements(item) + 1, 1);
  }
}
