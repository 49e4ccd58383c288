import type { CodePointRange } from './code-points.ts';

/** One part of a rule. `printGrammar` writes it as GBNF. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'class'; readonly ranges: readonly CodePointRange[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly items: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number | undefined };

export type RuleNode = Extract<Node, { kind: 'rule' }>;

/** Where in a request a rule comes from, to name the place when the rule turns out to be impossible. */
interface Origin {
  path: string;
  param: string;
}

export const EMPTY: Node = { kind: 'text', text: '' };

export function text(value: string): Node {
  return { kind: 'text', text: value };
}

/** One character: the letters of a string given, or ranges. */
export function oneOf(characters: string | readonly CodePointRange[]): Node {
  const ranges =
    typeof characters === 'string'
      ? Array.from(characters, (c): CodePointRange => [c.codePointAt(0)!, c.codePointAt(0)!])
      : characters;
  return { kind: 'class', ranges };
}

/** One character between two, such as `between('a', 'z')`. */
export function between(first: string, last: string): Node {
  return oneOf([[first.codePointAt(0)!, last.codePointAt(0)!]]);
}

/** The parts one after the other; texts that meet become one. */
export function sequence(...items: Node[]): Node {
  const flat: Node[] = [];
  for (const item of items.flatMap((part) => (part.kind === 'sequence' ? part.items : [part]))) {
    const previous = flat.at(-1);
    if (item === EMPTY) continue;
    if (item.kind === 'text' && previous?.kind === 'text')
      flat[flat.length - 1] = text(previous.text + item.text);
    else flat.push(item);
  }
  if (flat.length === 0) return EMPTY;
  return flat.length === 1 ? flat[0]! : { kind: 'sequence', items: flat };
}

export function choice(items: readonly Node[]): Node {
  return items.length === 1 ? items[0]! : { kind: 'choice', items };
}

/** The rules of one grammar, under names that cannot collide. */
export class Grammar {
  readonly rules = new Map<string, Node>();
  readonly origins = new Map<string, Origin>();
  readonly #shared = new Map<string, RuleNode>();
  #count = 0;

  /** A new name, to be given its content with {@link define}: a rule may refer to itself before it is complete. */
  reserve(origin?: Origin): RuleNode {
    const name = `r${this.#count++}`;
    if (origin) this.origins.set(name, origin);
    return { kind: 'rule', name };
  }

  define(rule: RuleNode, content: Node): void {
    this.rules.set(rule.name, content);
  }

  /** Gives a part a rule of its own. */
  rule(content: Node): RuleNode {
    const rule = this.reserve();
    this.define(rule, content);
    return rule;
  }

  /** The rule of that key, built at its first use. */
  shared(key: string, build: () => Node): RuleNode {
    const known = this.#shared.get(key);
    if (known) return known;
    const rule = this.reserve();
    this.#shared.set(key, rule);
    this.define(rule, build());
    return rule;
  }
}
