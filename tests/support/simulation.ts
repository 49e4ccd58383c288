import { setImmediate } from 'node:timers/promises';
import { afterEach, expect } from 'vitest';
import { type CacheOptions, type CreatedCache, createCache } from '../../src/cache/create-cache.ts';
import { DEFAULT_PREFETCH } from '../../src/cache/prefetch-policy.ts';
import type { Batch, SamplingParams } from '../../src/engine/engine.ts';
import { GREEDY as greedy } from '../../src/engine/greedy.ts';
import {
  EMPTY_PREFIX,
  extendPrefix,
  logitsAfter,
  SIMULATED_END,
} from '../../src/engine/simulated/prefix-function.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { SimulatedSampler } from '../../src/engine/simulated/simulated-sampler.ts';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import type { RequestSpec } from '../../src/scheduler/request.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { Wakeup } from '../../src/shared/wakeup.ts';
import { CacheCounts } from './cache-counts.ts';
import { CacheWatch } from './cache-watch.ts';
import { type Ending, Recorder, type Told } from './recorder.ts';

export const VOCABULARY = 32;

export const GREEDY: SamplingParams = { ...greedy, maxTokens: 16 };

/** A request in few words: `prompt` is its tokens, or a length, whose tokens differ from request to request. */
export interface Asked extends Partial<SamplingParams> {
  id: number;
  prompt: number | readonly number[];
  ignoreEnd?: boolean;
  grammar?: string;
  topLogprobs?: number;
  prefixSeed?: string;
  priority?: number;
}

export function spec(asked: Asked): RequestSpec {
  const { id, prompt, ignoreEnd, grammar, topLogprobs, prefixSeed, priority, ...sampling } = asked;
  return {
    id,
    prompt: Int32Array.from(typeof prompt === 'number' ? tokensOf(id, prompt) : prompt),
    sampling: { ...GREEDY, ...sampling },
    ignoreEndOfGeneration: ignoreEnd ?? false,
    grammar,
    topLogprobs,
    prefixSeed,
    priority,
  };
}

/** Tokens that no other number has. */
export function tokensOf(id: number, length: number): number[] {
  return Array.from({ length }, (_, i) => 1 + ((7 * id + 3 * i + i * i) % (VOCABULARY - 1)));
}

/** What a request must be answered, computed alone and directly. */
export function expectedAnswer(asked: Asked): { tokens: number[]; ending: Ending } {
  const { prompt, sampling, ignoreEndOfGeneration, grammar } = spec(asked);
  let state = prompt.reduce(extendPrefix, EMPTY_PREFIX);
  const sampler = new SimulatedSampler(
    sampling,
    () => logitsAfter(state, VOCABULARY),
    () => undefined,
  );
  const tokens: number[] = [];
  for (;;) {
    const token = sampler.sample(0);
    const end = token === SIMULATED_END;
    const ends = sampling.stopTokens.includes(token) || (end && !ignoreEndOfGeneration);
    if ((ends && tokens.length + 1 >= sampling.minTokens) || (end && grammar !== undefined))
      return { tokens, ending: { reason: 'stop', stop: token } };
    tokens.push(token);
    if (tokens.length === sampling.maxTokens)
      return { tokens, ending: { reason: 'length', stop: undefined } };
    state = extendPrefix(state, token);
  }
}

export interface Computed {
  token: number;
  position: number;
  sequence: number;
}

/** Remembers every batch, which of them failed, and can break a request's sampler or answer that there is no room. */
export class ObservedEngine extends SimulatedEngine {
  readonly steps: Computed[][] = [];
  readonly failedSteps = new Set<Computed[]>();
  /** Times that pages were refused: what is verified before it is kept is never. */
  refusedPages = 0;
  /** The next sampler that is asked throws this. */
  samplerError: Error | undefined;
  /** So many decodes find no room. */
  noRoom = 0;
  #adding: Computed[] = [];

  constructor(...options: ConstructorParameters<typeof SimulatedEngine>) {
    super(...options);
    const batch: Batch = this.batch;
    const { add, clear } = batch;
    batch.add = (token, position, sequence, wantLogits) => {
      const row = add(token, position, sequence, wantLogits);
      this.#adding.push({ token, position, sequence });
      return row;
    };
    batch.clear = () => {
      clear();
      this.#adding = [];
    };
    const { pages } = this;
    const restore = pages.restore.bind(pages);
    pages.restore = (...args) => {
      const outcome = restore(...args);
      if (outcome === 'rejected') this.refusedPages++;
      return outcome;
    };
  }

  override async decode() {
    if (this.noRoom > 0) {
      this.noRoom--;
      return 'no-room';
    }
    const step = [...this.#adding];
    this.steps.push(step);
    this.failedSteps.add(step);
    if (this.cellsInUse + this.#adding.length > this.limits.cells)
      throw new Error('More than the cells hold.');
    const outcome = await super.decode();
    if (outcome === 'done') this.failedSteps.delete(step);
    return outcome;
  }

  override createSampler(...args: Parameters<SimulatedEngine['createSampler']>) {
    const sampler = super.createSampler(...args);
    const { sample } = sampler;
    sampler.sample = (row) => {
      const error = this.samplerError;
      this.samplerError = undefined;
      if (error) throw error;
      return sample.call(sampler, row);
    };
    return sampler;
  }
}

export interface SimulationOptions {
  cells?: number;
  batchTokens?: number;
  sequences?: number;
  pageSize?: number;
  contextLength?: number;
  maxRunningRequests?: number;
  chunkedPrefillSize?: number;
  mixedChunk?: boolean;
  maxPrefillTokens?: number;
  maxQueuedRequests?: number;
  msPerBatch?: number;
  msPerGrammar?: number;
  cache?: Partial<CacheOptions>;
  /** One that others share; its owner says how everything runs that takes no time. */
  clock?: VirtualClock;
}

/** L1 alone, checked after every operation. */
const CACHE: CacheOptions = {
  radixCache: true,
  hostPages: 0,
  evictionPolicy: 'lru',
  writePolicy: 'write_through',
  unusedDeviceTokens: Number.POSITIVE_INFINITY,
  swapWorthTokens: 0,
  prefetch: DEFAULT_PREFETCH,
  debug: true,
};

const simulations: Simulation[] = [];

/** A scheduler over a simulated engine, on a clock that moves only when told to: a step takes 1 ms. */
export class Simulation {
  readonly clock: VirtualClock;
  readonly output: Recorder;
  readonly engine: ObservedEngine;
  readonly counts = new CacheCounts();
  readonly watch: CacheWatch;
  /** Keys of the pages in L1 and L2, as the cache's events tell. */
  readonly keys = new Set<string>();
  readonly tiers: CreatedCache;
  readonly scheduler: Scheduler;
  readonly ended: Promise<void>;
  /** Whether {@link Scheduler.run} has returned. */
  over = false;
  /** What it rejected with. */
  error: unknown;

  constructor(options: SimulationOptions = {}) {
    this.clock = options.clock ?? new VirtualClock(() => this.turn());
    this.output = new Recorder(this.clock);
    const cells = options.cells ?? 4096;
    this.engine = new ObservedEngine({
      clock: this.clock,
      vocabularySize: VOCABULARY,
      msPerBatch: options.msPerBatch ?? 1,
      msPerToken: 0,
      msPerGrammar: options.msPerGrammar ?? 5,
      cells,
      batchTokens: options.batchTokens ?? 256,
      sequences: options.sequences ?? 16,
      pageSize: options.pageSize ?? 4,
    });
    const limits = {
      contextLength: options.contextLength ?? cells,
      maxRunningRequests: options.maxRunningRequests ?? 16,
      chunkedPrefillSize: options.chunkedPrefillSize ?? 16,
      maxPrefillTokens: options.maxPrefillTokens ?? 32,
      mixedChunk: options.mixedChunk ?? true,
      maxQueuedRequests: options.maxQueuedRequests ?? 1000,
    };
    const wakeup = new Wakeup();
    const cacheOptions = { ...CACHE, ...options.cache };
    const onProgress = () => wakeup.signal();
    const events = this.#pageEvents();
    this.tiers = createCache(this.engine, cacheOptions, this.clock, this.counts, onProgress, events);
    this.watch = new CacheWatch(this.engine, this.clock, this.output);
    const cache = this.watch.watch(this.tiers.cache);
    this.scheduler = new Scheduler(this.engine, cache, limits, this.output, this.clock, wakeup);
    this.ended = this.scheduler.run().then(() => {
      this.over = true;
    });
    // Whoever waits for it finds a rejection, too; `over` stays false.
    this.ended.catch((error: unknown) => {
      this.error = error;
    });
    simulations.push(this);
  }

  /** Lets everything run that takes no time. */
  protected async turn(): Promise<void> {
    await setImmediate();
  }

  submit(asked: Asked): Told {
    this.scheduler.submit(spec(asked));
    return this.output.of(asked.id);
  }

  /** Lets so many steps pass. */
  async steps(count: number): Promise<void> {
    await this.clock.advance(count);
  }

  /** Lets time pass until nothing is left to do. */
  async drain(): Promise<void> {
    // Nothing here takes a million steps: what does is reported as held, not waited for.
    for (let i = 0; i < 1000 && (i === 0 || this.clock.sleepers > 0); i++) await this.clock.advance(1000);
  }

  /** What is held, besides what is cached; all 0 on an idle scheduler. */
  held() {
    const { preemptions: _, steps: __, cache, ...report } = this.scheduler.report();
    return {
      ...report,
      ...this.engine.open,
      sequences: cache.sequences.running,
      cells: Math.max(0, cache.cells.used - cache.cells.evictable),
      prefetches: cache.inFlight.prefetch,
      backups: cache.inFlight.backup + cache.queued,
      sleepers: this.clock.sleepers,
    };
  }

  abort(id: number): void {
    this.scheduler.abort(id);
    this.output.of(id).aborted = true;
  }

  expectIdle(): void {
    expect(this.error).toBeUndefined();
    expect(this.output.violations).toEqual([]);
    expect(this.engine.refusedPages).toBe(0);
    for (const [what, count] of Object.entries(this.held())) expect(count, what).toBe(0);
    expect(this.scheduler.flush()).toBe(true);
    expect(this.engine.cellsInUse).toBe(0);
    expect(this.scheduler.report().cache).toMatchObject({ sequences: { cached: 0 }, hostPages: { used: 0 } });
    expect(this.keys).toEqual(new Set());
    expect(this.freeSlots).toBe(this.tiers.pool?.capacity ?? 0);
  }

  get freeSlots(): number {
    return this.tiers.pool?.free ?? 0;
  }

  expectAnswered(asked: Asked): void {
    const { tokens, ending } = expectedAnswer(asked);
    const told = this.output.of(asked.id);
    expect(told.failures).toEqual([]);
    expect(told.tokens).toEqual(tokens);
    expect(told.ended).toEqual([ending]);
  }

  #pageEvents() {
    const { keys, output } = this;
    return {
      stored(added: readonly string[]) {
        for (const key of added) if (keys.has(key)) output.violations.push(`${key} was stored twice`);
        for (const key of added) keys.add(key);
      },
      removed(gone: readonly string[]) {
        for (const key of gone) if (!keys.delete(key)) output.violations.push(`${key} was removed twice`);
      },
    };
  }
}

afterEach(async () => {
  for (const simulation of simulations.splice(0)) {
    const stopped = simulation.scheduler.stop();
    await simulation.drain();
    await stopped;
    expect(simulation.output.violations).toEqual([]);
  }
});
