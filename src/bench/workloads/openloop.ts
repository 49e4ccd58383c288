import { systemClock } from '../../shared/clock.ts';
import { poissonArrivals } from '../arrivals.ts';
import { percentile, rounded } from '../statistics.ts';
import { waitUntil } from '../wait-until.ts';
import type { Bench, Workload } from '../workload.ts';

export interface OpenloopOptions {
  /** Requests a second; where a bound is given, those of the first try. */
  rate: number;
  /** Of each try. */
  requests: number;
  promptLength: number;
  outputLength: number;
  /** Tokens that all prompts begin with. */
  systemLength: number;
  /** Milliseconds that p99 of the first token may take; undefined tries one rate alone. */
  ttftBound: number | undefined;
}

/** The highest rate that holds is known to within a tenth. */
const PRECISION = 1.1;
/** A try lasts so many times the bound at least: what is over before would hold at any rate. */
const LASTING = 3;
/** From the first try to the last one, either way, by a factor of two each. */
const MOST_DOUBLINGS = 12;

/** Requests that come when they come, however long the others take; or a search for the rate that a server holds. */
export const openloop: Workload<OpenloopOptions> = {
  name: 'openloop',
  about: 'requests that arrive at a rate, or the highest rate that a server holds',
  async run(bench, options) {
    const { rate, ttftBound } = options;
    if (ttftBound === undefined) {
      await attempt(bench, options, rate, nameOf(rate));
      return;
    }
    const holds = async (tried: number) => {
      const enough = Math.ceil((tried * LASTING * ttftBound) / 1000);
      const lasting = { ...options, requests: Math.max(options.requests, enough) };
      const name = nameOf(tried);
      if ((await attempt(bench, lasting, tried, name)) <= ttftBound) return true;
      // A server that has a cache for each of its places fills them in the first try.
      return (await attempt(bench, lasting, tried, `${name}, again`)) <= ttftBound;
    };
    const sustained = await highestRate(rate, holds);
    bench.found('sustained requests per second', rounded(sustained, 3));
  },
};

/**
 * Doubles or halves until one rate holds and the double one does not, then halves the distance.
 *
 * @returns 0 when not even the lowest one holds
 */
export async function highestRate(first: number, holds: (rate: number) => Promise<boolean>): Promise<number> {
  let good: number | undefined;
  let bad: number | undefined;
  let rate = first;
  for (let i = 0; i <= MOST_DOUBLINGS && (good === undefined || bad === undefined); i++) {
    if (await holds(rate)) {
      good = rate;
      rate *= 2;
    } else {
      bad = rate;
      rate /= 2;
    }
  }
  while (good !== undefined && bad !== undefined && bad / good > PRECISION) {
    const middle = Math.sqrt(good * bad);
    if (await holds(middle)) good = middle;
    else bad = middle;
  }
  return good ?? 0;
}

function nameOf(rate: number): string {
  return `${rounded(rate, 3)} requests/s`;
}

/** P99 of the first token in milliseconds; infinite when a request failed. */
async function attempt(bench: Bench, options: OpenloopOptions, rate: number, name: string): Promise<number> {
  const { requests, promptLength, outputLength, systemLength } = options;
  bench.expect(requests);
  const part = bench.part(name);
  const system = bench.text('system', systemLength);
  const began = systemClock.now();
  const replies = await Promise.all(
    poissonArrivals(bench.random(`arrivals at ${name}`), rate, requests).map(async (at, i) => {
      const prompt = [...system, ...bench.text(`${name} ${i}`, promptLength)];
      await waitUntil(began + at, bench.signal);
      return part.ask({ prompt, output: outputLength });
    }),
  );
  return percentile(
    replies.map((reply) => reply?.firstToken ?? Number.POSITIVE_INFINITY),
    0.99,
  );
}
