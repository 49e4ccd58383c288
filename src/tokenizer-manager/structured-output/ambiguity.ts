import type { Grammar, RuleNode } from './grammar.ts';
import { BASE, ParseStacks } from './parse-stacks.ts';
import { sharedCharacters } from './shared-characters.ts';
import { StackProgram } from './stack-program.ts';

/** Stacks at once: each one costs llama.cpp time at every token. */
const MOST_STACKS = 1500;

/** Ways through the grammar while one character repeats: llama.cpp follows each of them to refuse one token. */
const MOST_WAYS = 4096;
/** How often a character repeats within one token: indentation and rulers of dashes are that long. */
const LONGEST_RUN = 64;

/** Stacks looked at before the search gives up and lets the grammar pass, in all and for one beginning. */
const WORK = 300_000;
const WORK_PER_RULE = 20_000;

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
 * llama.cpp follows every way through an ambiguous grammar at once. This search does the same, without a text: from
 * the beginning of each rule it goes on with the characters that keep most ways open. What it finds is real; what it
 * does not find within its budget may still exist.
 */
export function findAmbiguity(grammar: Grammar, root: RuleNode): string | undefined {
  const program = new StackProgram(grammar, root.name);
  const search = new Search(program);
  for (const rule of program.alternatives.keys()) {
    const found = search.from(rule);
    if (found !== undefined) {
      const name = program.names[found]!;
      return program.owners().get(name) ?? name;
    }
    if (search.work > WORK) return undefined;
  }
  return undefined;
}

class Search {
  readonly #program: StackProgram;
  readonly #stacks: ParseStacks;
  /** By what was held, the largest number of stacks. */
  readonly #seen = new Map<string, number>();
  /** By the logarithm of their number of stacks. */
  #waiting: Held[][] = [];

  constructor(program: StackProgram) {
    this.#program = program;
    this.#stacks = new ParseStacks(program);
  }

  get work(): number {
    return this.#stacks.work;
  }

  /** The rule to blame for what may happen from the beginning of a rule on. */
  from(rule: number): number | undefined {
    const limit = this.work + WORK_PER_RULE;
    this.#waiting = [];
    this.#add({ stacks: this.#stacks.begin(rule, BASE), rule });
    for (let next = this.#take(); next && this.work < limit; next = this.#take()) {
      if (next.stacks.length > MOST_STACKS) return this.#blamed(next);
      const blamed = this.#follow(next);
      if (blamed !== undefined) return blamed;
    }
    return undefined;
  }

  #follow(held: Held): number | undefined {
    if (held.stacks.includes(BASE)) {
      // Some are done with the rule and others are not: the rest depends on where the rule was used.
      for (const item of this.#program.returnsOf(held.rule)) this.#add(this.#returned(held, item));
      if (this.#program.returnsOf(held.rule).length > 0) return undefined;
    }
    for (const { codePoint, stacks } of this.#shared(held.stacks)) {
      if (process.env.DBG)
        console.log(
          'state',
          held.rule,
          held.stacks.length,
          JSON.stringify(String.fromCodePoint(codePoint)),
          stacks.length,
          '->',
          this.#advanced(stacks).length,
          'work',
          this.work,
        );
      if (this.#waysAlong(stacks, codePoint) > MOST_WAYS) return this.#blamed(held);
      this.#add(this.#trimmed(this.#advanced(stacks), held.rule));
    }
    return undefined;
  }

  /** Characters that several of the stacks take. */
  #shared(stacks: readonly number[]): { codePoint: number; stacks: readonly number[] }[] {
    const byClass = new Map<number, number[]>();
    for (const stack of stacks) {
      if (stack === BASE) continue;
      const id = this.#program.code[this.#stacks.top(stack)]!;
      const group = byClass.get(id);
      if (group) group.push(stack);
      else byClass.set(id, [stack]);
    }
    return sharedCharacters([...byClass.keys()], this.#program.classes)
      .map(({ codePoint, members }) => ({ codePoint, stacks: members.flatMap((id) => byClass.get(id)!) }))
      .filter((shared) => shared.stacks.length > 1);
  }

  #advanced(stacks: readonly number[]): readonly number[] {
    const next = new Set<number>();
    for (const stack of stacks) {
      this.#stacks.work++;
      for (const one of this.#stacks.advance(stack)) next.add(one);
    }
    this.#stacks.work += next.size;
    return [...next];
  }

  /** The ways through the grammar while a character repeats: equal stacks that were reached differently count twice. */
  #waysAlong(start: readonly number[], codePoint: number): number {
    let ways = new Map(start.map((stack) => [stack, 1]));
    let total = 0;
    for (let length = 1; length < LONGEST_RUN && ways.size > 0; length++) {
      const next = new Map<number, number>();
      for (const [stack, count] of ways) {
        const after = this.#stacks.advance(stack);
        this.#stacks.work += 1 + after.length;
        for (const one of after) if (this.#takes(one, codePoint)) next.set(one, (next.get(one) ?? 0) + count);
      }
      const before = total;
      total = 0;
      for (const count of next.values()) total += count;
      if (total > MOST_WAYS) return total;
      if (
        total === before &&
        next.size === ways.size &&
        [...next].every(([one, count]) => ways.get(one) === count)
      ) {
        return total;
      }
      ways = next;
    }
    return total;
  }

  #takes(stack: number, codePoint: number): boolean {
    if (stack === BASE) return false;
    const ranges = this.#program.classes[this.#program.code[this.#stacks.top(stack)]!]!;
    return ranges.some(([first, last]) => first <= codePoint && codePoint <= last);
  }

  /** What is held where the rule was followed by that item. */
  #returned({ stacks, rule: _, ...rest }: Held, item: number): Held {
    const base = this.#stacks.push(item, BASE);
    const next = stacks.flatMap((stack) =>
      stack === BASE ? this.#stacks.expand(base) : [this.#stacks.rebase(stack, BASE, base)],
    );
    this.#stacks.work += next.length;
    return { ...rest, stacks: [...new Set(next)], rule: this.#program.ruleOf[item]! };
  }

  /** Leaves out what lies below all of the stacks. */
  #trimmed(stacks: readonly number[], rule: number): Held {
    let shared = stacks[0] ?? BASE;
    for (const stack of stacks) shared = this.#stacks.shared(shared, stack);
    if (shared === BASE) return { stacks, rule };
    // The rule before an item is what the stacks above it are made of; without any above, the item itself counts.
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
    if (stacks.length < 2) return;
    const key = `${rule}:${[...new Set(stacks.map((stack) => this.#stacks.straighten(stack)))].sort().join()}`;
    if (stacks.length < GROWTH * (this.#seen.get(key) ?? 0)) return;
    this.#seen.set(key, stacks.length);
    (this.#waiting[Math.floor(Math.log2(stacks.length))] ??= []).push(held);
  }

  #take(): Held | undefined {
    return this.#waiting.findLast((group) => group?.length > 0)?.pop();
  }

  /** The rule that most of the stacks owe their number to. */
  #blamed({ stacks, rule }: Held): number {
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
    return [...votes].reduce((most, vote) => (vote[1] > most[1] ? vote : most), [rule, 0])[0];
  }
}
