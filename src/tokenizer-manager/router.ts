import type { Rank } from '../ranks/rank.ts';

/** Chooses the rank that serves a prompt. */
export interface Router {
  /** @returns undefined when no rank is ready */
  choose(ranks: readonly Rank[], prompt: Int32Array): Rank | undefined;
}

/** The rank that holds the fewest requests; of equals the one that was not chosen last. */
export class LeastLoadedRouter implements Router {
  #last = -1;

  choose(ranks: readonly Rank[]): Rank | undefined {
    let best: Rank | undefined;
    for (let i = 1; i <= ranks.length; i++) {
      const rank = ranks[(this.#last + i) % ranks.length];
      if (rank?.state === 'ready' && (!best || rank.load < best.load)) best = rank;
    }
    if (best) this.#last = best.index;
    return best;
  }
}
