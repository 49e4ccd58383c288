import type { CodePointRange } from './code-points.ts';
import type { Grammar, Node } from './grammar.ts';

/** Ends an alternative in {@link StackProgram.code}. */
export const END = -1;

/**
 * Counts above this are shortened: nothing new happens between the tenth and the thousandth time, and a loop stands
 * for them just as well.
 */
const LONGEST_COUNT = 8;

/**
 * A grammar as the flat rules that llama.cpp works with. An item is an index into `code`, where a number of zero
 * or more is a class of characters, {@link END} ends an alternative, and the others refer to rules.
 */
export class StackProgram {
  readonly code: number[] = [];
  readonly classes: (readonly CodePointRange[])[] = [];
  /** By rule: the first item of each alternative. */
  readonly alternatives: number[][] = [];
  /** By rule: its name in the grammar; the rules made for groups and repetitions have that of the rule around. */
  readonly names: string[] = [];
  /** By item: the rule that it belongs to. */
  readonly ruleOf: number[] = [];
  readonly root: number;
  readonly #grammar: Grammar;
  readonly #rules = new Map<string, number>();
  readonly #classIds = new Map<string | number, number>();
  readonly #callers: { rule: number; item: number }[][] = [];
  readonly #returns: (readonly number[])[] = [];

  constructor(grammar: Grammar, root: string) {
    this.#grammar = grammar;
    this.root = this.#ruleOf(root);
    // The list grows meanwhile, by the rules that these refer to.
    for (const [name, rule] of this.#rules) this.#define(rule, grammar.rules.get(name)!);
  }

  /** The rule that an item refers to; `undefined` if it is a character. */
  referenceAt(item: number): number | undefined {
    const code = this.code[item]!;
    return code < END ? END - 1 - code : undefined;
  }

  /** The items that may follow once the rule is done, wherever it is used. */
  returnsOf(rule: number): readonly number[] {
    const known = this.#returns[rule];
    if (known) return known;
    const found = new Set<number>();
    const seen = new Set([rule]);
    for (const at of seen) {
      for (const { rule: caller, item } of this.#callers[at]!) {
        if (this.code[item + 1] === END) seen.add(caller);
        else found.add(item + 1);
      }
    }
    const items = [...found];
    this.#returns[rule] = items;
    return items;
  }

  /** Whether a character belongs to both classes. */
  overlap(one: number, other: number): boolean {
    const others = this.classes[other]!;
    return this.classes[one]!.some(([first, last]) =>
      others.some(([from, to]) => from <= last && first <= to),
    );
  }

  #ruleOf(name: string): number {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule = this.#newRule(name);
    this.#rules.set(name, rule);
    return rule;
  }

  #newRule(name: string): number {
    this.#callers.push([]);
    this.alternatives.push([]);
    return this.names.push(name) - 1;
  }

  #define(rule: number, node: Node): void {
    for (const alternative of alternativesOf(node)) this.#add(rule, this.#written(rule, alternative));
  }

  #add(rule: number, items: readonly number[]): void {
    this.alternatives[rule]!.push(this.code.length);
    for (const item of [...items, END]) {
      const index = this.code.push(item) - 1;
      this.ruleOf.push(rule);
      const target = this.referenceAt(index);
      if (target !== undefined) this.#callers[target]!.push({ rule, item: index });
    }
  }

  #written(rule: number, node: Node): number[] {
    switch (node.kind) {
      case 'text':
        return Array.from(node.text, (character) => this.#character(character.codePointAt(0)!));
      case 'class':
        return [this.#class(node.ranges.join(), node.ranges)];
      case 'rule':
        return [reference(this.#ruleOf(node.name))];
      case 'sequence':
        return node.items.flatMap((item) => this.#written(rule, item));
      case 'choice':
        return [this.#group(rule, node)];
      case 'repeat':
        return this.#repeated(rule, node.item, node.min, node.max);
    }
  }

  #repeated(around: number, node: Node, min: number, max: number | undefined): number[] {
    const unit = node.kind === 'sequence' ? [this.#group(around, node)] : this.#written(around, node);
    const items = Array.from({ length: Math.min(min, LONGEST_COUNT) }, () => unit).flat();
    const more = max === undefined ? Infinity : max - min;
    const name = this.names[around]!;
    if (more > LONGEST_COUNT) {
      const loop = this.#newRule(name);
      this.#add(loop, [...unit, reference(loop)]);
      this.#add(loop, []);
      return [...items, reference(loop)];
    }
    let last: number | undefined;
    for (let count = 0; count < more; count++) {
      const rule = this.#newRule(name);
      this.#add(rule, last === undefined ? unit : [...unit, reference(last)]);
      this.#add(rule, []);
      last = rule;
    }
    return last === undefined ? items : [...items, reference(last)];
  }

  #group(around: number, node: Node): number {
    const rule = this.#newRule(this.names[around]!);
    this.#define(rule, node);
    return reference(rule);
  }

  #character(codePoint: number): number {
    return this.#class(codePoint, [[codePoint, codePoint]]);
  }

  #class(key: string | number, ranges: readonly CodePointRange[]): number {
    const known = this.#classIds.get(key);
    if (known !== undefined) return known;
    const id = this.classes.push(ranges) - 1;
    this.#classIds.set(key, id);
    return id;
  }

  /** The schema's rule that a rule was made for: of those without an origin, the first one that uses it. */
  owners(): ReadonlyMap<string, string> {
    const owners = new Map<string, string>();
    for (const name of this.#rules.keys()) {
      if (this.#grammar.origins.has(name)) owners.set(name, name);
    }
    for (let changed = true; changed; ) {
      changed = false;
      for (const [rule, callers] of this.#callers.entries()) {
        const name = this.names[rule]!;
        if (owners.has(name)) continue;
        for (const caller of callers) {
          const owner = owners.get(this.names[caller.rule]!);
          if (owner === undefined) continue;
          owners.set(name, owner);
          changed = true;
          break;
        }
      }
    }
    return owners;
  }
}

function reference(rule: number): number {
  return END - 1 - rule;
}

function alternativesOf(node: Node): readonly Node[] {
  return node.kind === 'choice' ? node.items.flatMap(alternativesOf) : [node];
}
