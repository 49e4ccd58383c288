import { namespaceSeed, pageKeys } from '../shared/page-keys.ts';
import type { PrefixIndex } from './prefix-index.ts';
import { type Candidate, leastLoaded, type Place, type Prompt, type Router, Turns } from './router.ts';

/**
 * A rank is too busy for a prompt, whatever it holds of it, when it has this many requests more than the idlest one,
 * and this many times as many: so in SGLang's router (`balance_abs_threshold` and `balance_rel_threshold`), whose 64
 * and 1.5 are for servers that run hundreds of requests each. A batch of a few more sequences decodes hardly slower:
 * weights are read once for all of them. A rank that computes on a CPU runs few, and with more of them ahead an idle
 * one computes a prefix sooner than this one comes to it. Few also means that a prefix that everybody sends is soon
 * held by every rank.
 */
const MORE_REQUESTS = 4;
const TIMES_THE_REQUESTS = 1.5;

/**
 * The share of a prompt that a rank must hold beyond what the idlest one holds to be worth more load: below it most of
 * the prompt is computed either way (SGLang's `cache_threshold`, there 0.3 to 0.5).
 */
const WORTHWHILE_SHARE = 0.25;

interface HoldingPlace<R extends Candidate> extends Place<R> {
  /** Leading pages of the prompt. */
  held: number;
}

/**
 * An answer goes to the rank that holds the longest prefix of its prompt, unless that rank is too busy or the prefix is
 * not worth it; then to the one that holds the fewest requests, of equals to the one that holds the longest prefix.
 *
 * Several answers to one prompt stay together: the rank of the first one is about to hold the whole prompt, which is
 * then computed once, and takes memory once. Only when that rank gets too busy the next one computes it too.
 */
export class PrefixRouter implements Router {
  readonly #turns = new Turns();
  readonly #index: PrefixIndex;
  readonly #pageSize: number;

  /** @param pageSize tokens in a page of the index */
  constructor(index: PrefixIndex, pageSize: number) {
    this.#index = index;
    this.#pageSize = pageSize;
  }

  choose<R extends Candidate>(ranks: readonly R[], prompt: Prompt, answers: number): R[] {
    const places = this.#turns.places(ranks);
    const [only] = places;
    if (!only) return [];
    if (places.length === 1) return Array.from({ length: answers }, () => this.#turns.take(only));
    const keys = pageKeys(namespaceSeed(prompt.namespace), prompt.tokens, this.#pageSize);
    const held = this.#index.longest(keys, ranks.length);
    const holding = places.map((place) => ({ ...place, held: held[place.rank.index] ?? 0 }));
    return Array.from({ length: answers }, () => {
      const place = best(holding, keys.length);
      place.held = keys.length;
      return this.#turns.take(place);
    });
  }
}

function best<R extends Candidate>(places: readonly HoldingPlace<R>[], pages: number): HoldingPlace<R> {
  const idlest = longest(leastOf(places));
  const { load } = idlest;
  const close = places.filter(
    (place) => place.load - load <= MORE_REQUESTS || place.load <= load * TIMES_THE_REQUESTS,
  );
  const holder = longest(close);
  const gain = holder.held - idlest.held;
  return gain > 0 && gain >= pages * WORTHWHILE_SHARE ? holder : idlest;
}

function leastOf<P extends { load: number }>(places: readonly P[]): P[] {
  const least = Math.min(...places.map((place) => place.load));
  return places.filter((place) => place.load === least);
}

/** The place that holds the most pages; of equals the least loaded one. */
function longest<R extends Candidate>(places: readonly HoldingPlace<R>[]): HoldingPlace<R> {
  const most = Math.max(...places.map((place) => place.held));
  return leastLoaded(places.filter((place) => place.held === most));
}
