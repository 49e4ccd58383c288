import { BASE, type ParseStacks } from './parse-stacks.ts';
import { sharedCharacters } from './shared-characters.ts';
import type { StackProgram } from './stack-program.ts';

/** The stacks that llama.cpp holds at the same time, as far as they differ: what lies below all of them is left out. */
export interface Held {
  /** By stack, the number of ways that led to it within the present token. */
  readonly stacks: ReadonlyMap<number, number>;
  /** Characters of the present token. */
  readonly length: number;
  /** Where the stacks come to {@link BASE}, this rule is done. */
  readonly rule: number;
}

/** A character that several of the stacks take, and these stacks. */
interface Shared {
  readonly codePoint: number;
  readonly takers: readonly number[];
}

/** The characters worth following: with any other one, no more than one stack is left, or fewer of the same ones. */
export function sharedBy(program: StackProgram, parse: ParseStacks, { stacks }: Held): Shared[] {
  const byClass = Map.groupBy(
    [...stacks.keys()].filter((stack) => stack !== BASE),
    (stack) => program.code[parse.top(stack)]!,
  );
  return sharedCharacters([...byClass.keys()], program.classes)
    .map(({ codePoint, members }) => ({ codePoint, takers: members.flatMap((id) => byClass.get(id)!) }))
    .filter(({ takers }) => takers.length > 1 || stacks.get(takers[0]!)! > 1);
}

/** Leaves out what lies below all of the stacks. */
export function trimmed(program: StackProgram, parse: ParseStacks, { stacks, rule, length }: Held): Held {
  const [first = BASE] = stacks.keys();
  let shared = first;
  for (const stack of stacks.keys()) shared = parse.shared(shared, stack);
  if (shared === BASE) return { stacks, rule, length };
  // The stacks above an item are made of the rule before it; without any above, the item itself counts.
  const isTop = stacks.has(shared);
  const item = parse.top(shared);
  const base = isTop ? parse.below(shared) : shared;
  return {
    stacks: new Map([...stacks].map(([stack, ways]) => [parse.rebase(stack, base, BASE), ways])),
    length,
    rule: isTop ? program.ruleOf[item]! : program.referenceAt(item - 1)!,
  };
}

/** What is held where the rule was used in front of that item, instead of anywhere. */
export function usedBefore(
  program: StackProgram,
  parse: ParseStacks,
  { stacks, length }: Held,
  item: number,
): Held {
  const base = parse.push(item, BASE);
  const next = new Map<number, number>();
  for (const [stack, ways] of stacks) {
    if (stack !== BASE) next.set(parse.rebase(stack, BASE, base), ways);
  }
  const done = stacks.get(BASE) ?? 0;
  for (const stack of parse.expand(base).stacks) next.set(stack, (next.get(stack) ?? 0) + done);
  return { stacks: next, rule: program.ruleOf[item]!, length };
}

/** The rule to which most of the stacks owe that they are many. */
export function multiplierOf(
  program: StackProgram,
  parse: ParseStacks,
  { stacks, rule }: Pick<Held, 'stacks' | 'rule'>,
): number {
  const branches = new Map<number, Set<number>>();
  for (const stack of stacks.keys()) {
    for (let at = stack; at !== BASE; at = parse.below(at)) {
      const below = parse.below(at);
      const found = branches.get(below);
      if (found) found.add(at);
      else branches.set(below, new Set([at]));
    }
  }
  const votes = new Map([[rule, 0]]);
  for (const [below, above] of branches) {
    const chosen = below === BASE ? rule : program.referenceAt(parse.top(below) - 1)!;
    votes.set(chosen, (votes.get(chosen) ?? 0) + above.size - 1);
  }
  return [...votes].reduce((most, vote) => (vote[1] > most[1] ? vote : most))[0];
}
