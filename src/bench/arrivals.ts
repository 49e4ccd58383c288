import type { Random } from '../models/random.ts';

/**
 * Milliseconds to the next of arrivals that know nothing of each other (a Poisson process).
 *
 * @param rate arrivals a second, on average
 */
export function exponential({ bits }: Random, rate: number): number {
  // Never the logarithm of 0.
  return (-Math.log((bits() + 1) / 0x1_0000_0001) / rate) * 1000;
}

/** When so many arrivals are, in milliseconds from the beginning; the first one at once. */
export function poissonArrivals(random: Random, rate: number, count: number): number[] {
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    if (i > 0) at += exponential(random, rate);
    return at;
  });
}
