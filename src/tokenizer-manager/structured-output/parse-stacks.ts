import { END, type StackProgram } from './stack-program.ts';

/** The stack from which everything was taken: what comes next depends on where the rule was used. */
export const BASE = 0;

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
  readonly #expanded: (readonly number[])[] = [];
  readonly #advanced: (readonly number[])[] = [];
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
    const key = below * this.#program.code.length + item;
    const known = this.#pushed.get(key);
    if (known !== undefined) return known;
    const stack = this.#tops.push(item) - 1;
    this.#belows.push(below);
    this.#heights.push(this.#heights[below]! + 1);
    this.#pushed.set(key, stack);
    return stack;
  }

  /** Every way to begin a rule that is used on top of a stack. */
  begin(rule: number, below: number): readonly number[] {
    return this.#expand(this.#program.alternatives[rule]!.map((item) => this.#continue(item, below)));
  }

  /** The stacks, each with a character on top, that this one stands for; {@link BASE} if it may be at its end. */
  expand(stack: number): readonly number[] {
    const known = this.#expanded[stack];
    if (known) return known;
    const result = this.#expand([stack]);
    this.#expanded[stack] = result;
    return result;
  }

  #expand(stacks: readonly number[]): readonly number[] {
    const { alternatives } = this.#program;
    const found: number[] = [];
    const seen = new Set<number>();
    const todo = [...stacks];
    for (let stack = todo.pop(); stack !== undefined; stack = todo.pop()) {
      if (seen.has(stack)) continue;
      seen.add(stack);
      this.work++;
      const rule = stack === BASE ? undefined : this.#program.referenceAt(this.top(stack));
      if (rule === undefined) {
        found.push(stack);
        continue;
      }
      const below = this.#continue(this.top(stack) + 1, this.below(stack));
      for (const item of alternatives[rule]!) todo.push(this.#continue(item, below));
    }
    return found;
  }

  /** The stacks after the character on top. */
  advance(stack: number): readonly number[] {
    const known = this.#advanced[stack];
    if (known) return known;
    const result = this.expand(this.#continue(this.top(stack) + 1, this.below(stack)));
    this.#advanced[stack] = result;
    return result;
  }

  #continue(item: number, below: number): number {
    return this.#program.code[item] === END ? below : this.push(item, below);
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
