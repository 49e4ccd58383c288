export interface StopScan {
  /** Text that cannot be part of a stop string any more. */
  text: string;
  /** The stop string that was found; nothing after it counts. */
  matched: string | undefined;
}

/**
 * Finds the first of several strings in a stream of text, and lets no part of it through. The first is the one
 * that is complete first; so it does not matter in what pieces the text comes.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  push(text: string): StopScan {
    if (this.#stops.length === 0) return { text, matched: undefined };
    const seen = this.#held + text;
    const found = this.#first(seen);
    if (found) {
      this.#held = '';
      return { text: seen.slice(0, found.at), matched: found.stop };
    }
    const keep = this.#unfinished(seen);
    this.#held = seen.slice(seen.length - keep);
    return { text: seen.slice(0, seen.length - keep), matched: undefined };
  }

  /** The text that was held back, when nothing more comes. */
  end(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** The match that ends first; of those that end together the longest. */
  #first(text: string): { at: number; stop: string } | undefined {
    let best: { at: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      const later = best ? at + stop.length - (best.at + best.stop.length) : -1;
      if (later < 0 || (later === 0 && at < best!.at)) best = { at, stop };
    }
    return best;
  }

  /** Length of the longest end of the text that begins a stop string. */
  #unfinished(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (stop.startsWith(text.slice(text.length - length))) {
          longest = length;
          break;
        }
      }
    }
    return longest;
  }
}
