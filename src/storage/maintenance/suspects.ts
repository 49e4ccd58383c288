import type { Damage } from '../layers/integrity.ts';

/** What good pages look like as well when their layers were configured in another way. */
const SUSPECT: ReadonlySet<Damage> = new Set<Damage>(['magic', 'version', 'length', 'corrupt']);
/** So many of them of one model, and no page that is one: it is not worth to go on with it. */
const MOST = 1000;

/**
 * Damaged pages that may be good ones of another configuration. Those of one model have one configuration, which says
 * nothing of other models in the same store: each is known to be right once a good page of that model was found.
 */
export class Suspects {
  /** By model, as long as no good page of it was found. */
  readonly #held = new Map<string, string[]>();
  readonly #known = new Set<string>();

  isGivenUp(model: string): boolean {
    return (this.#held.get(model)?.length ?? 0) >= MOST;
  }

  /** A good page was found. Returns those that are surely damaged by that. */
  good(model: string): string[] {
    // Of one that was given up, pages were passed over.
    if (this.isGivenUp(model)) return [];
    const held = this.#held.get(model) ?? [];
    this.#held.delete(model);
    this.#known.add(model);
    return held;
  }

  /** A damaged page was found. Returns it unless it is held back. */
  damaged(model: string, key: string, reason: Damage): string[] {
    if (this.#known.has(model) || !SUSPECT.has(reason)) return [key];
    const held = this.#held.get(model) ?? [];
    held.push(key);
    this.#held.set(model, held);
    return [];
  }

  /** What to say of the pages that are still held back; undefined when there are none. */
  get problem(): string | undefined {
    const [first, ...others] = this.#held.keys();
    if (first === undefined) return undefined;
    const models = others.length > 0 ? `${first} and ${others.length} more` : first;
    const reason = `not one page of model ${models} is a page by this configuration, so none was removed.`;
    return `${reason} Is it the one they were written with?`;
  }
}
