import type { Grammar, RuleNode } from './grammar.ts';
import { BASE, ParseStacks } from './parse-stacks.ts';
import { RuleRecursion } from './rule-recursion.ts';
import { sharedCharacters } from './shared-characters.ts';
import { StackProgram } from './stack-program.ts';
import { waysAlong } from './ways-along.ts';

/** Stacks at once: each one costs llama.cpp time at every token. */
const MOST_STACKS = 1500;

/** Ways through the grammar within one token: llama.cpp follows each of them before it refuses the token. */
const MOST_WAYS = 4096;

/** Stacks looked at before the search gives up and lets the grammar pass, in all and for one beginning. */
const WORK = 200_000;
const WORK_PER_RULE = 10_000;

/** A set of stacks that was seen before is looked at again when it has grown by this much. */
const GROWTH = 1.2;

/** Stacks that llama.cpp holds at the same time, as far as they differ: what lies below all of them is left out. */
interface Held {
  readonly stacks: readonly number[];
  /** Where the stacks come to {@link BASE}, this rule is done. */
  readonly rule: number;
}

/**
 * A place where the grammar becomes expensive for llama.cpp, as the rule whose alternatives are to blame.
 *
 * llama.cpp follows every way through an ambiguous grammar at once. This search does the same without a text: from
 * the beginning of each rule it goes on with the characters that keep most ways open. What it finds is real; what it
 * does not find within its budget may still exist.
 */
export function findAmbiguity(grammar: Grammar, root: RuleNode): string | undefined {
  const program = new StackProgram(grammar, root.name);
  const found = new AmbiguitySearch(program).run();
  if (found === undefined) return undefined;
  const name = program.names[found]!;
  return program.owners().get(name) ?? name;
}

class AmbiguitySearch {
  readonly #program: StackProgram;
  readonly #stacks: ParseStacks;
  readonly #recursion: RuleRecursion;
  readonly #itemClasses = new Map<number, readonly number[]>();
  /** By what was held, the largest number of stacks. */
  readonly #seen = new Map<string, number>();
  /** By the logarithm of their number of stacks. */
  #waiting: Held[][] = [];
  #blamed: number | undefined;

  constructor(program: StackProgram) {
    this.#program = program;
    this.#stacks = new ParseStacks(program);
    this.#recursion = new RuleRecursion(program);
  }

  /** The rule to blame; `undefined` if nothing was found. */
  run(): number | undefined {
    for (const rule of this.#recursion.largestFirst()) {
      const items = this.#program.alternatives[rule]!;
      this.#waiting = [];
      this.#add({ stacks: this.#entered(items.map((item) => this.#stacks.push(item, BASE)), rule), rule });
      const limit = this.#stacks.work + WORK_PER_RULE;
      for (let next = this.#take(); next && this.#stacks.work < limit; next = this.#take()) this.#follow(next);
      if (this.#blamed !== undefined) return this.#blamed;
      if (this.#stacks.work > WORK) break;
    }
    return this.#recursion.above(MOST_STACKS);
  }

  #follow(held: Held): void {
    const { stacks, rule } = held;
    if (stacks.includes(BASE)) {
      // Some are done with the rule and others are not: the rest depends on where the rule was used.
      for (const item of this.#program.returnsOf(rule)) this.#return(held, item);
    }
    for (const { codePoint, stacks: takers } of this.#shared(stacks)) {
      if (waysAlong(this.#program, this.#stacks, takers, codePoint, MOST_WAYS) > MOST_WAYS) this.#blame(held);
      const after = takers.map((stack) => this.#stacks.after(stack));
      this.#add(this.#trimmed(this.#entered(after, rule), rule));
    }
  }

  /** Characters that several of the stacks take. */
  #shared(stacks: readonly number[]): { codePoint: number; stacks: readonly number[] }[] {
    const byClass = Map.groupBy(
      stacks.filter((stack) => stack !== BASE),
      (stack) => this.#classOn(stack),
    );
    return sharedCharacters([...byClass.keys()], this.#program.classes)
      .map(({ codePoint, members }) => ({ codePoint, stacks: members.flatMap((id) => byClass.get(id)!) }))
      .filter((shared) => shared.stacks.length > 1);
  }

  #classOn(stack: number): number {
    return this.#program.code[this.#stacks.top(stack)]!;
  }

  /** The stacks, each with a character on top, that these stand for. */
  #entered(stacks: readonly number[], rule: number): readonly number[] {
    let entries = new Set(stacks);
    for (let inner = this.#commonRule(entries); inner !== undefined; inner = this.#commonRule(entries)) {
      // All of them go through the same rule in the same ways, and it has its own turn: pass over it.
      this.#multiply(rule, inner, entries);
      entries = new Set([...entries].map((stack) => this.#stacks.after(stack)));
    }
    const found = new Set<number>();
    const backs = new Map<number, Set<number>>();
    for (const entry of entries) {
      const { stacks: expanded, entered } = this.#stacks.expand(entry);
      this.#stacks.work += 1 + expanded.length;
      for (const stack of expanded) found.add(stack);
      for (const [inner, back] of entered) {
        const others = backs.get(inner);
        if (others) others.add(back);
        else backs.set(inner, new Set([back]));
      }
    }
    for (const [inner, back] of backs) this.#multiply(rule, inner, back);
    return [...found];
  }

  #commonRule(stacks: ReadonlySet<number>): number | undefined {
    if (stacks.size < 2) return undefined;
    const [first, ...others] = stacks;
    const rule = this.#stacks.ruleOn(first!);
    return others.every((stack) => this.#stacks.ruleOn(stack) === rule) ? rule : undefined;
  }

  #multiply(rule: number, inner: number, backs: ReadonlySet<number>): void {
    if (backs.size > 1 && this.#recursion.multiplies(rule, inner, backs.size)) {
      this.#blame({ stacks: [...backs], rule });
    }
  }

  /** Adds what is held where the rule was followed by that item, if the item makes a difference. */
  #return({ stacks }: Held, item: number): void {
    const base = this.#stacks.push(item, BASE);
    const after = this.#stacks.expand(base).stacks;
    this.#stacks.work++;
    const inside = stacks.filter((stack) => stack !== BASE);
    const classes = new Set([...inside.map((stack) => this.#classOn(stack))]);
    const others = this.#classesAfter(item);
    if (!others.some((one) => [...classes].some((other) => this.#overlap(one, other)))) return;
    const next = [...new Set([...inside.map((stack) => this.#stacks.rebase(stack, BASE, base)), ...after])];
    this.#stacks.work += next.length;
    this.#add({ stacks: next, rule: this.#program.ruleOf[item]! });
  }

  #classesAfter(item: number): readonly number[] {
    const known = this.#itemClasses.get(item);
    if (known) return known;
    const { stacks } = this.#stacks.expand(this.#stacks.push(item, BASE));
    const classes = new Set(stacks.filter((stack) => stack !== BASE).map((stack) => this.#classOn(stack)));
    this.#itemClasses.set(item, [...classes]);
    return [...classes];
  }

  #overlap(one: number, other: number): boolean {
    if (one === other) return true;
    const { classes } = this.#program;
    return classes[one]!.some(([first, last]) => classes[other]!.some(([from, to]) => from <= last && first <= to));
  }

  /** Leaves out what lies below all of the stacks. */
  #trimmed(stacks: readonly number[], rule: number): Held {
    let shared = stacks[0] ?? BASE;
    for (const stack of stacks) shared = this.#stacks.shared(shared, stack);
    if (shared === BASE) return { stacks, rule };
    // The stacks above an item are made of the rule before it; without any above, the item itself counts.
    const isTop = stacks.includes(shared);
    const item = this.#stacks.top(shared);
    const base = isTop ? this.#stacks.below(shared) : shared;
    return {
      stacks: stacks.map((stack) => this.#stacks.rebase(stack, base, BASE)),
      rule: isTop ? this.#program.ruleOf[item]! : this.#program.referenceAt(item - 1)!,
    };
  }

  #add(held: Held): void {
    const { stacks, rule } = held;
    if (stacks.length > MOST_STACKS) this.#blame(held);
    if (stacks.length < 2 || this.#blamed !== undefined) return;
    const straight = new Set(stacks.map((stack) => this.#stacks.straighten(stack)));
    const key = `${rule}:${[...straight].sort((a, b) => a - b).join()}`;
    if (stacks.length < GROWTH * (this.#seen.get(key) ?? 0)) return;
    this.#seen.set(key, stacks.length);
    (this.#waiting[Math.floor(Math.log2(stacks.length))] ??= []).push(held);
  }

  #take(): Held | undefined {
    if (this.#blamed !== undefined) return undefined;
    return this.#waiting.findLast((group) => group?.length > 0)?.pop();
  }

  /** Blames the rule to which most of the stacks owe that they are many. */
  #blame({ stacks, rule }: Held): void {
    const branches = new Map<number, Set<number>>();
    for (const stack of stacks) {
      for (let at = stack; at !== BASE; at = this.#stacks.below(at)) {
        const below = this.#stacks.below(at);
        const found = branches.get(below);
        if (found) found.add(at);
        else branches.set(below, new Set([at]));
      }
    }
    const votes = new Map<number, number>();
    for (const [below, above] of branches) {
      const chosen = below === BASE ? rule : this.#program.referenceAt(this.#stacks.top(below) - 1)!;
      votes.set(chosen, (votes.get(chosen) ?? 0) + above.size - 1);
    }
    this.#blamed = [...votes].reduce((most, vote) => (vote[1] > most[1] ? vote : most), [rule, 0])[0];
  }
}
