import { Gbnf, type Part } from './gbnf.ts';

/** A character, or all that is left of a part, and what comes after it. Equal stacks are one object. */
interface Stack {
  readonly id: number;
  readonly part: Part;
  /** Characters of a literal, or rounds of a repetition, that are done. */
  readonly done: number;
  readonly below: Stack | undefined;
}

type Stacks = ReadonlySet<Stack | undefined>;

/**
 * Follows a text with all the stacks that llama.cpp would hold, as its source describes it. It shares nothing with
 * the code under test, and writes no count shorter than it is.
 */
export class StackFollower {
  readonly #gbnf: Gbnf;
  readonly #known = new Map<string, Stack>();
  readonly #partIds = new Map<Part, number>();
  #stacks: Stacks;

  constructor(source: string) {
    this.#gbnf = new Gbnf(source);
    this.#stacks = this.#expand(this.#alternatives(this.#gbnf.alternativesOf('root'), undefined));
  }

  /** Without the one that says that the text may end here. */
  get count(): number {
    return unfinished(this.#stacks);
  }

  accept(character: string): void {
    this.#stacks = this.#after(character.codePointAt(0)!);
  }

  /** Characters that llama.cpp would take next, each with the number of stacks it would leave. */
  choices(): { character: string; count: number }[] {
    const starts = new Set<number>();
    for (const stack of this.#stacks) for (const [first] of stack ? rangesOf(stack) : []) starts.add(first);
    return [...starts].map((codePoint) => ({
      character: String.fromCodePoint(codePoint),
      count: unfinished(this.#after(codePoint)),
    }));
  }

  #after(codePoint: number): Stacks {
    const next: (Stack | undefined)[] = [];
    for (const stack of this.#stacks) {
      if (!stack || !rangesOf(stack).some(([first, last]) => first <= codePoint && codePoint <= last))
        continue;
      const { part, done, below } = stack;
      const isLast = part.kind !== 'literal' || done + 1 === Array.from(part.text).length;
      next.push(isLast ? below : this.#stack(part, done + 1, below));
    }
    return this.#expand(next);
  }

  #expand(stacks: readonly (Stack | undefined)[]): Stacks {
    const found = new Set<Stack | undefined>();
    const seen = new Set<Stack | undefined>();
    const todo = [...stacks];
    while (todo.length > 0) {
      const stack = todo.pop();
      if (seen.has(stack)) continue;
      seen.add(stack);
      if (stack?.part.kind === 'reference') {
        todo.push(...this.#alternatives(this.#gbnf.alternativesOf(stack.part.name), stack.below));
      } else if (stack?.part.kind === 'group') {
        todo.push(...this.#alternatives(stack.part.alternatives, stack.below));
      } else if (stack?.part.kind === 'repeat') {
        const { part, done, below } = stack;
        if (done >= part.min) todo.push(below);
        // A loop without an end is one rule however often it has been gone through.
        const next = part.max === Infinity ? Math.min(done + 1, part.min) : done + 1;
        if (done < part.max)
          todo.push(this.#stack(part.part, 0, next === part.max ? below : this.#stack(part, next, below)));
      } else if (stack?.part.kind === 'literal' && stack.part.text === '') {
        todo.push(stack.below);
      } else {
        found.add(stack);
      }
    }
    return found;
  }

  #alternatives(alternatives: readonly (readonly Part[])[], below: Stack | undefined): (Stack | undefined)[] {
    return alternatives.map((parts) =>
      parts.reduceRight<Stack | undefined>((rest, part) => this.#stack(part, 0, rest), below),
    );
  }

  #stack(part: Part, done: number, below: Stack | undefined): Stack {
    let partId = this.#partIds.get(part);
    if (partId === undefined) {
      partId = this.#partIds.size;
      this.#partIds.set(part, partId);
    }
    const key = `${partId} ${done} ${below?.id}`;
    const known = this.#known.get(key);
    if (known) return known;
    const stack = { id: this.#known.size, part, done, below };
    this.#known.set(key, stack);
    return stack;
  }
}

function unfinished(stacks: Stacks): number {
  return stacks.has(undefined) ? stacks.size - 1 : stacks.size;
}

function rangesOf({ part, done }: Stack): readonly (readonly [number, number])[] {
  if (part.kind === 'class') return part.ranges;
  const codePoint = part.kind === 'literal' ? Array.from(part.text)[done]!.codePointAt(0)! : -1;
  return [[codePoint, codePoint]];
}
