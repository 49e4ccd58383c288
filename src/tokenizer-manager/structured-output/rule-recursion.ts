import type { StackProgram } from './stack-program.ts';

/** Which rules lead back to themselves, and how the stacks of rules inside of rules multiply. */
export class RuleRecursion {
  /** By rule: the number of its group. Rules of one group lead to each other, others only to higher numbers. */
  readonly #groups: readonly number[];
  readonly #copies: Map<number, number>[] = [];

  constructor(program: StackProgram) {
    const uses: number[][] = program.names.map(() => []);
    const users: number[][] = program.names.map(() => []);
    for (const item of program.code.keys()) {
      const target = program.referenceAt(item);
      if (target === undefined) continue;
      uses[program.ruleOf[item]!]!.push(target);
      users[target]!.push(program.ruleOf[item]!);
    }
    for (const targets of uses) this.#copies.push(new Map(targets.map((target) => [target, 1])));
    this.#groups = groupsOf(uses, users);
  }

  /** All rules, those first that lead to each other in the largest groups. */
  largestFirst(): readonly number[] {
    const sizes = Map.groupBy(this.#groups, (group) => group);
    const sizeOf = (rule: number) => sizes.get(this.#groups[rule]!)!.length;
    return [...this.#groups.keys()].sort((a, b) => sizeOf(b) - sizeOf(a));
  }

  /** Says that one stack in `rule` may become `count` stacks that begin `inner` at once. Whether that has no end. */
  multiplies(rule: number, inner: number, count: number): boolean {
    const copies = this.#copies[rule]!;
    copies.set(inner, Math.max(count, copies.get(inner) ?? 0));
    return count > 1 && this.#groups[rule] === this.#groups[inner];
  }

  /** A rule in which so many stacks end up at once that they are more than `limit`. */
  above(limit: number): number | undefined {
    const totals: number[] = [];
    const inOrder = [...this.#groups.keys()].sort((a, b) => this.#groups[a]! - this.#groups[b]!);
    for (const rule of inOrder) {
      const total = totals[this.#groups[rule]!] ?? 1;
      for (const [inner, count] of this.#copies[rule]!) {
        if (total * count > limit) return rule;
        const group = this.#groups[inner]!;
        totals[group] = Math.max(total * count, totals[group] ?? 1);
      }
    }
    return undefined;
  }
}

/** Strongly connected components, by Kosaraju's two walks; without recursion, as the rules may be many. */
function groupsOf(uses: readonly (readonly number[])[], users: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  for (const start of uses.keys()) {
    const path: { rule: number; next: number }[] = [];
    const enter = (rule: number) => {
      if (seen.has(rule)) return;
      seen.add(rule);
      path.push({ rule, next: 0 });
    };
    enter(start);
    for (let at = path.at(-1); at; at = path.at(-1)) {
      const target = uses[at.rule]![at.next++];
      if (target !== undefined) enter(target);
      else order.push(path.pop()!.rule);
    }
  }
  const groups: number[] = [];
  for (const [group, start] of order.reverse().entries()) {
    const todo = [start];
    for (let rule = todo.pop(); rule !== undefined; rule = todo.pop()) {
      if (groups[rule] !== undefined) continue;
      groups[rule] = group;
      todo.push(...users[rule]!);
    }
  }
  return groups;
}
