import type { Rank } from '../ranks/rank.ts';
import type { Namespace } from '../shared/page-keys.ts';

/** What a router sees of a rank. */
export type Candidate = Pick<Rank, 'index' | 'state' | 'load'>;

export interface Prompt {
  readonly tokens: Int32Array;
  readonly namespace: Namespace;
}

/** Chooses the ranks that serve a prompt. */
export interface Router {
  /**
   * @param answers how many are wanted of the prompt
   * @returns a rank for each answer; none at all when no rank is ready
   */
  choose<R extends Candidate>(ranks: readonly R[], prompt: Prompt, answers: number): R[];
}

/** A rank that is ready. */
export interface Place<R extends Candidate> {
  readonly rank: R;
  /** Requests that it holds, with those that are being given to it. */
  load: number;
  /** Grows with every choice: the rank with the smallest was chosen longest ago. */
  turn: number;
}

/** Remembers which rank had its turn when. */
export class Turns {
  readonly #ofRanks = new Map<number, number>();
  #now = 0;

  places<R extends Candidate>(ranks: readonly R[]): Place<R>[] {
    return ranks
      .filter((rank) => rank.state === 'ready')
      .map((rank) => ({ rank, load: rank.load, turn: this.#ofRanks.get(rank.index) ?? 0 }));
  }

  take<R extends Candidate>(place: Place<R>): R {
    place.load++;
    place.turn = ++this.#now;
    this.#ofRanks.set(place.rank.index, place.turn);
    return place.rank;
  }
}

/** The place with the fewest requests; of equals the one that was chosen longest ago. There is at least one. */
export function leastLoaded<P extends { load: number; turn: number }>(places: readonly P[]): P {
  return places.reduce((best, place) =>
    place.load < best.load || (place.load === best.load && place.turn < best.turn) ? place : best,
  );
}

/** Every answer goes to the rank that holds the fewest requests. */
export class LeastLoadedRouter implements Router {
  readonly #turns = new Turns();

  choose<R extends Candidate>(ranks: readonly R[], _prompt: Prompt, answers: number): R[] {
    const places = this.#turns.places(ranks);
    if (places.length === 0) return [];
    return Array.from({ length: answers }, () => this.#turns.take(leastLoaded(places)));
  }
}
