import { END, type StackProgram } from './stack-program.ts';

/** The stack from which everything was taken: what comes next depends on where the rule was used. */
export const BASE = 0;

/** What one stack stands for before the next character. */
interface Expansion {
  /** The stacks with a character on top; {@link BASE} if everything may be done. */
  readonly stacks: readonly number[];
  /** The rules that were entered on the way, each with the stack to come back to. */
  readonly entered: readonly (readonly [rule: number, back: number])[];
}

/**
 * The stacks with which llama.cpp follows a grammar: on top the item that the next character must match, below it
 * the items to come back to. Equal stacks are one number.
 */
export class ParseStacks {
  readonly #program: StackProgram;
  readonly #tops = [-1];
  readonly #belows = [-1];
  readonly #heights = [0];
  readonly #pushed = new Map<number, number>();
  readonly #expanded: Expansion[] = [];
  readonly #straightened: number[] = [BASE];
  /** Stacks looked at so far, as a measure of the time spent. */
  work = 0;

  constructor(program: StackProgram) {
    this.#program = program;
  }

  top(stack: number): number {
    return this.#tops[stack]!;
  }

  below(stack: number): number {
    return this.#belows[stack]!;
  }

  push(item: number, below: number): number {
    if (this.#program.code[item] === END) return below;
    const key = below * this.#program.code.length + item;
    const known = this.#pushed.get(key);
    if (known !== undefined) return known;
    const stack = this.#tops.push(item) - 1;
    this.#belows.push(below);
    this.#heights.push(this.#heights[below]! + 1);
    this.#pushed.set(key, stack);
    return stack;
  }

  /** The stack once the character or the rule on top is done. */
  after(stack: number): number {
    return this.push(this.top(stack) + 1, this.below(stack));
  }

  /** The rule on top of a stack; `undefined` if it is a character, or nothing. */
  ruleOn(stack: number): number | undefined {
    return stack === BASE ? undefined : this.#program.referenceAt(this.top(stack));
  }

  expand(stack: number): Expansion {
    const known = this.#expanded[stack];
    if (known) return known;
    const stacks: number[] = [];
    const entered: [number, number][] = [];
    const seen = new Set<number>();
    const todo = [stack];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      this.work++;
      const rule = this.ruleOn(next);
      if (rule === undefined) {
        stacks.push(next);
        continue;
      }
      const back = this.after(next);
      entered.push([rule, back]);
      for (const item of this.#program.alternatives[rule]!) todo.push(this.push(item, back));
    }
    const result = { stacks, entered };
    this.#expanded[stack] = result;
    return result;
  }

  /** The largest stack that lies below both, or is one of them. */
  shared(one: number, other: number): number {
    let [a, b] = [one, other];
    while (a !== b) {
      const [left, right] = [this.#heights[a]!, this.#heights[b]!];
      if (left >= right) a = this.below(a);
      if (right >= left) b = this.below(b);
    }
    return a;
  }

  /** The same stack with `base`, a stack below it, replaced by another. */
  rebase(stack: number, base: number, replacement: number): number {
    const items: number[] = [];
    for (let at = stack; at !== base; at = this.below(at)) items.push(this.top(at));
    return items.reduceRight((below, item) => this.push(item, below), replacement);
  }

  /** The same stack without the rounds of recursion below its top: there are only so many of these. */
  straighten(stack: number): number {
    return stack === BASE ? BASE : this.push(this.top(stack), this.#straight(this.below(stack)));
  }

  #straight(stack: number): number {
    const known = this.#straightened[stack];
    if (known !== undefined) return known;
    const item = this.top(stack);
    const below = this.#straight(this.below(stack));
    let result = this.push(item, below);
    for (let at = below; at !== BASE; at = this.below(at)) {
      if (this.top(at) === item) result = at;
    }
    this.#straightened[stack] = result;
    return result;
  }
}
