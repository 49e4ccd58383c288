import { type Random, random } from '../../../src/models/random.ts';

/** Seeded choices; the same key gives the same ones on every platform. */
export class Draw {
  readonly #random: Random;

  constructor(key: string) {
    this.#random = random(key);
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.#random.below(most - least + 1);
  }

  /** True once in `of` times. */
  once(of: number): boolean {
    return this.#random.below(of) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.#random.below(list.length)];
    if (item === undefined) throw new RangeError('Nothing to pick from');
    return item;
  }

  /**
   * An item, early ones more often: of many that are as likely as each other, a model that says the likeliest may well
   * say something else.
   */
  early<T>(list: readonly T[]): T {
    const at = Math.min(this.#random.below(list.length), this.#random.below(list.length));
    return this.pick(list.slice(at, at + 1));
  }

  /** `count` different items in random order. */
  some<T>(list: readonly T[], count: number): T[] {
    const rest = [...list];
    return Array.from({ length: count }, () => {
      const [item] = rest.splice(this.#random.below(rest.length), 1);
      if (item === undefined) throw new RangeError(`Fewer than ${count} items`);
      return item;
    });
  }

  /** An item, each as often as its weight says. */
  weighted<T>(list: readonly (readonly [weight: number, item: T])[]): T {
    let at = this.#random.below(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of list) {
      if (at < weight) return item;
      at -= weight;
    }
    throw new RangeError('Nothing to pick from');
  }
}
