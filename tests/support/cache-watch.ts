import type { Lease } from '../../src/cache/lease.ts';
import type { RequestCache } from '../../src/cache/request-cache.ts';
import type { Clock } from '../../src/shared/clock.ts';
import type { CachedTokens } from '../../src/shared/messages.ts';
import type { Recorder } from './recorder.ts';
import type { ObservedEngine } from './simulation.ts';

/** Loops of a scheduler in which no time passes: more than this are without an end. */
const MOST_LOOPS = 10_000;

/**
 * Watches what a scheduler does with its cache: that it does not loop while no time passes, and that what requests are
 * told was cached is what the engine did not compute for them. A request that was put back before its first token
 * computed more than that, and is left out.
 */
export class CacheWatch {
  /** Requests that were compared. */
  compared = 0;
  readonly #engine: ObservedEngine;
  readonly #clock: Clock;
  #loops = { at: 0, count: 0 };
  readonly #open = new Map<CachedTokens, { lease: Lease; fromStep: number }>();

  constructor(engine: ObservedEngine, clock: Clock, output: Recorder) {
    this.#engine = engine;
    this.#clock = clock;
    output.onStarted = (id, cached) => {
      const wrong = this.#compare(cached);
      if (wrong) output.violations.push(`${id}: ${wrong}`);
    };
  }

  /** Prompt and answer tokens that were computed so far, by all requests. */
  get computed(): number {
    return this.#stepsFrom(0).reduce((sum, step) => sum + step.length, 0);
  }

  watch(cache: RequestCache): RequestCache {
    const { fill, close } = cache;
    return new Proxy(cache, {
      get: (target, name) => {
        if (name === 'fill')
          return (...[lease, arrival]: Parameters<typeof fill>) => {
            const filled = target.fill(lease, arrival);
            if (filled) this.#open.set(lease.cached, { lease, fromStep: this.#engine.steps.length });
            return filled;
          };
        if (name === 'takeIn')
          return () => {
            this.#loop();
            target.takeIn();
          };
        if (name === 'close')
          return (...[lease, computed]: Parameters<typeof close>) => {
            this.#open.delete(lease.cached);
            target.close(lease, computed);
          };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  #loop(): void {
    const now = this.#clock.now();
    this.#loops = { at: now, count: this.#loops.at === now ? this.#loops.count + 1 : 0 };
    if (this.#loops.count > MOST_LOOPS) throw new Error('The scheduler loops, and no time passes.');
  }

  #stepsFrom(step: number) {
    return this.#engine.steps.slice(step).filter((entries) => !this.#engine.failedSteps.has(entries));
  }

  #compare(cached: CachedTokens): string | undefined {
    const { lease, fromStep } = this.#open.get(cached) ?? {};
    if (!lease || fromStep === undefined) return undefined;
    this.compared++;
    const skipped = cached.device + cached.host + cached.storage;
    const positions = this.#stepsFrom(fromStep)
      .flat()
      .filter(({ sequence }) => sequence === lease.sequence)
      .map(({ position }) => position);
    const right = Array.from({ length: lease.prefix.length - skipped }, (_, i) => skipped + i);
    if (positions.join() === right.join()) return undefined;
    return `computed positions ${positions}, though ${skipped} of ${lease.prefix.length} were cached`;
  }
}
