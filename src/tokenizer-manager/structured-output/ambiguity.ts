import type { Grammar, RuleNode } from './grammar.ts';
import { type Held, multiplierOf, sharedBy, trimmed, usedBefore } from './held-stacks.ts';
import { LIMITS } from './limits.ts';
import { BASE, ParseStacks } from './parse-stacks.ts';
import { RuleRecursion } from './rule-recursion.ts';
import { StackProgram } from './stack-program.ts';
import { waysAlong } from './ways-along.ts';

/** Stacks looked at before the search gives up and lets the grammar pass: in all, and from one rule on. */
const WORK = 60_000;
const WORK_PER_RULE = 5_000;

/** Stacks that were held before are looked at again when they, or the ways to them, are so many times as many. */
const GROWTH = 1.2;

/** Characters of one token, if they are not all the same. Vocabularies have `.:.:.:` up to this length. */
const LONGEST_TOKEN = 32;

/**
 * Lists repeat their items, and two kinds of numbers in each double the ways. That is harmless: a token that holds
 * many items does not exist, and between tokens llama.cpp notices that stacks are equal.
 */
const COMMA = 0x2c;

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
  readonly #parse: ParseStacks;
  readonly #recursion: RuleRecursion;
  readonly #classesAt = new Map<number, readonly number[]>();
  /** The most that was seen of what was held. */
  readonly #seen = new Map<string, { stacks: number; ways: number }>();
  /** By the logarithm of their ways. */
  #waiting: Held[][] = [];
  /** Characters that may repeat within one token. */
  #runs: { held: Held; takers: readonly number[]; codePoint: number }[] = [];
  #found: number | undefined;

  constructor(program: StackProgram) {
    this.#program = program;
    this.#parse = new ParseStacks(program);
    this.#recursion = new RuleRecursion(program);
  }

  /** The rule to blame; `undefined` if nothing was found. */
  run(): number | undefined {
    for (const rule of this.#recursion.largestFirst()) {
      const begin = this.#program.alternatives[rule]!.map((item) => this.#parse.push(item, BASE));
      this.#waiting = [];
      this.#runs = [];
      this.#add({ stacks: this.#entered(new Map(begin.map((stack) => [stack, 1])), rule), rule, length: 0 });
      let limit = this.#parse.work + WORK_PER_RULE;
      for (let next = this.#take(); next && this.#parse.work < limit; next = this.#take()) this.#follow(next);
      limit = this.#parse.work + WORK_PER_RULE;
      for (const { held, takers, codePoint } of this.#runs) {
        if (this.#found !== undefined || this.#parse.work > limit) break;
        const ways = waysAlong(this.#program, this.#parse, takers, codePoint, LIMITS.ways);
        if (ways > LIMITS.ways) this.#blame(held);
      }
      if (this.#found !== undefined) return this.#found;
      if (this.#parse.work > WORK) break;
    }
    return this.#recursion.above(LIMITS.stacks);
  }

  #follow(held: Held): void {
    if (held.stacks.has(BASE)) {
      // Some are done with the rule and others are not: the rest depends on where the rule was used.
      for (const item of this.#program.returnsOf(held.rule)) this.#return(held, item);
    }
    for (const { codePoint, takers } of sharedBy(this.#program, this.#parse, held)) {
      const isEnd = codePoint === COMMA || held.length === LONGEST_TOKEN;
      const after = new Map<number, number>();
      for (const stack of takers) {
        const next = this.#parse.after(stack);
        after.set(next, isEnd ? 1 : held.stacks.get(stack)! + (after.get(next) ?? 0));
      }
      const ways = sum(after.values());
      const stacks = this.#entered(after, held.rule);
      const next = { stacks, rule: held.rule, length: isEnd ? 0 : held.length + 1 };
      if (stacks.size > LIMITS.stacks || ways > LIMITS.ways) this.#blame(next);
      if (this.#found !== undefined) return;
      // Ways belong to where they come from: they cannot be counted on from somewhere else.
      this.#add(ways === after.size ? trimmed(this.#program, this.#parse, next) : next);
      if (takers.length > 1) this.#runs.push({ held, takers, codePoint });
    }
  }

  /** The stacks, each with a character on top, that these stand for. */
  #entered(stacks: ReadonlyMap<number, number>, rule: number): ReadonlyMap<number, number> {
    let entries = stacks;
    for (let inner = this.#commonRule(entries); inner !== undefined; inner = this.#commonRule(entries)) {
      // All of them go through the same rule in the same ways, and it has its own turn: pass over it.
      this.#multiply(rule, inner, entries.keys());
      const after = new Map<number, number>();
      for (const [stack, ways] of entries) {
        const next = this.#parse.after(stack);
        after.set(next, ways + (after.get(next) ?? 0));
      }
      entries = after;
    }
    const found = new Map<number, number>();
    const backs = new Map<number, Set<number>>();
    for (const [entry, ways] of entries) {
      const { stacks: expanded, entered } = this.#parse.expand(entry);
      this.#parse.work += 1 + expanded.length;
      for (const stack of expanded) found.set(stack, ways + (found.get(stack) ?? 0));
      for (const [inner, back] of entered) {
        const others = backs.get(inner);
        if (others) others.add(back);
        else backs.set(inner, new Set([back]));
      }
    }
    for (const [inner, back] of backs) this.#multiply(rule, inner, back);
    return found;
  }

  #commonRule(stacks: ReadonlyMap<number, number>): number | undefined {
    if (stacks.size < 2) return undefined;
    const [first, ...others] = stacks.keys();
    const rule = this.#parse.ruleOn(first!);
    return others.every((stack) => this.#parse.ruleOn(stack) === rule) ? rule : undefined;
  }

  #multiply(rule: number, inner: number, begin: Iterable<number>): void {
    const stacks = new Map(Array.from(begin, (stack) => [stack, 1]));
    if (stacks.size > 1 && this.#recursion.multiplies(rule, inner, stacks.size))
      this.#blame({ stacks, rule });
  }

  /** Adds what is held where the rule was used in front of that item, if the item makes a difference. */
  #return(held: Held, item: number): void {
    this.#parse.work++;
    const following = this.#classesAt.get(item) ?? this.#classesFrom(item);
    this.#classesAt.set(item, following);
    const inside = this.#classesOn(held.stacks.keys());
    const isMixed = following.some((one) => inside.some((other) => this.#program.overlap(one, other)));
    const done = held.stacks.get(BASE)!;
    const mayGoOn = this.#parse.expand(this.#parse.push(item, BASE)).stacks.includes(BASE);
    if (!isMixed && !mayGoOn && done === 1) return;
    const next = usedBefore(this.#program, this.#parse, held, item);
    this.#parse.work += next.stacks.size;
    this.#add(next);
  }

  #classesFrom(item: number): readonly number[] {
    return this.#classesOn(this.#parse.expand(this.#parse.push(item, BASE)).stacks);
  }

  #classesOn(stacks: Iterable<number>): readonly number[] {
    const tops = [...stacks].filter((stack) => stack !== BASE).map((stack) => this.#parse.top(stack));
    return [...new Set(tops.map((item) => this.#program.code[item]!))];
  }

  #add(held: Held): void {
    const { stacks, rule } = held;
    const ways = sum(stacks.values());
    if (ways < 2) return;
    const straight = new Set([...stacks.keys()].map((stack) => this.#parse.straighten(stack)));
    const key = `${rule}:${[...straight].sort((a, b) => a - b).join()}`;
    const seen = this.#seen.get(key) ?? { stacks: 0, ways: 0 };
    if (stacks.size < GROWTH * seen.stacks && ways < GROWTH * seen.ways) return;
    this.#seen.set(key, { stacks: Math.max(stacks.size, seen.stacks), ways: Math.max(ways, seen.ways) });
    const rank = Math.floor(Math.log2(ways));
    const group = this.#waiting[rank] ?? [];
    this.#waiting[rank] = group;
    group.push(held);
  }

  #take(): Held | undefined {
    if (this.#found !== undefined) return undefined;
    return this.#waiting.findLast((group) => group?.length > 0)?.pop();
  }

  #blame(held: Pick<Held, 'stacks' | 'rule'>): void {
    this.#found ??= multiplierOf(this.#program, this.#parse, held);
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
