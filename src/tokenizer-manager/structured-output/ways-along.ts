import { BASE, type ParseStacks } from './parse-stacks.ts';
import type { StackProgram } from './stack-program.ts';

/** How often a character repeats within one token. Only indentation and rulers of dashes are longer than that. */
const LONGEST_RUN = 64;

/** Stacks looked at before it gives up: the loops of a pattern need far fewer, and lists in lists have no end. */
const WORK = 3_000;

/** So many characters without one more way, and no more are expected. */
const PATIENCE = 8;

/**
 * The ways through the grammar while a character repeats. Those that lead to equal stacks count each: within one
 * token llama.cpp does not notice that they are equal. Stops counting above `limit`.
 */
export function waysAlong(
  program: StackProgram,
  stacks: ParseStacks,
  start: readonly number[],
  codePoint: number,
  limit: number,
): number {
  let ways = new Map(start.map((stack) => [stack, 1]));
  let most = start.length;
  let since = 0;
  const end = stacks.work + WORK;
  for (
    let length = 1;
    length < LONGEST_RUN && ways.size > 0 && since < PATIENCE && stacks.work < end;
    length++
  ) {
    const next = new Map<number, number>();
    let total = 0;
    for (const [stack, count] of ways) {
      const { stacks: after } = stacks.expand(stacks.after(stack));
      stacks.work += 1 + after.length;
      for (const one of after) {
        if (one === BASE || !takes(program, stacks.top(one), codePoint)) continue;
        next.set(one, (next.get(one) ?? 0) + count);
        total += count;
      }
    }
    since = total > most ? 0 : since + 1;
    most = Math.max(most, total);
    if (most > limit) break;
    ways = next;
  }
  return most;
}

function takes(program: StackProgram, item: number, codePoint: number): boolean {
  return program.classes[program.code[item]!]!.some(
    ([first, last]) => first <= codePoint && codePoint <= last,
  );
}
