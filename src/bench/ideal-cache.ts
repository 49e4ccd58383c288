/** Tokens that follow each other without a branch, and what goes on from them, by the first token. */
interface Run {
  tokens: readonly number[];
  next: Map<number, Run>;
}

/**
 * What a cache that never forgets has, to the token: everything that was ever given to it. A tree of runs, so that a
 * long conversation costs what is new in it.
 */
export class IdealCache {
  readonly #roots = new Map<number, Run>();

  /** How many tokens of the beginning were given before. */
  known(tokens: readonly number[]): number {
    let at = 0;
    let next = this.#roots;
    for (;;) {
      const run = next.get(tokens[at] ?? Number.NaN);
      if (!run) return at;
      const same = commonLength(run.tokens, tokens, at);
      at += same;
      if (same < run.tokens.length) return at;
      next = run.next;
    }
  }

  add(tokens: readonly number[]): void {
    let at = 0;
    let next = this.#roots;
    while (at < tokens.length) {
      const first = tokens[at]!;
      const run = next.get(first);
      if (!run) {
        next.set(first, { tokens: tokens.slice(at), next: new Map() });
        return;
      }
      const same = commonLength(run.tokens, tokens, at);
      at += same;
      if (same < run.tokens.length) split(run, same);
      next = run.next;
    }
  }
}

function split(run: Run, length: number): void {
  const rest = { tokens: run.tokens.slice(length), next: run.next };
  run.tokens = run.tokens.slice(0, length);
  run.next = new Map([[rest.tokens[0]!, rest]]);
}

function commonLength(run: readonly number[], tokens: readonly number[], from: number): number {
  let same = 0;
  while (same < run.length && run[same] === tokens[from + same]) same++;
  return same;
}

/**
 * How many tokens of a prompt a cache can have that knows so many of them: the last one is computed in any case, since
 * the answer begins with what it gives.
 */
export function reusable(known: number, promptTokens: number): number {
  return Math.max(0, Math.min(known, promptTokens - 1));
}
