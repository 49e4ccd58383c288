import { median, rounded } from '../../src/bench/statistics.ts';
import { createCache } from '../../src/cache/create-cache.ts';
import { DEFAULT_PREFETCH } from '../../src/cache/prefetch-policy.ts';
import { GREEDY } from '../../src/engine/greedy.ts';
import { SimulatedEngine } from '../../src/engine/simulated/simulated-engine.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import type { Clock } from '../../src/shared/clock.ts';
import { Wakeup } from '../../src/shared/wakeup.ts';
import { CacheCounts } from '../../tests/support/cache-counts.ts';
import { inRounds, table } from '../support/page.ts';
import type { Measured, Settings } from '../support/parts.ts';

const VOCABULARY = 32;
const PROMPT_TOKENS = 64;

/** Nothing takes time: what is left is the scheduler. */
const CLOCK: Clock = { now: () => performance.now(), sleep: () => Promise.resolve() };

/** Knows how long was spent in it. */
class TimedEngine extends SimulatedEngine {
  milliseconds = 0;

  override async decode() {
    const began = performance.now();
    try {
      return await super.decode();
    } finally {
      this.milliseconds += performance.now() - began;
    }
  }

  override createSampler(...given: Parameters<SimulatedEngine['createSampler']>) {
    const sampler = super.createSampler(...given);
    const sample = sampler.sample.bind(sampler);
    sampler.sample = (row) => {
      const began = performance.now();
      const token = sample(row);
      this.milliseconds += performance.now() - began;
      return token;
    };
    return sampler;
  }
}

/** What a step costs besides the engine: planning, taking tokens in, telling them, and the cache. */
export async function measureStepCost({ rounds, quick }: Settings): Promise<Measured> {
  const rows: { requests: number; microseconds: number }[] = [];
  const steps = quick ? 50 : 2000;
  for (const requests of [1, 8, 64]) {
    // The first one is compiled while it runs.
    const costs: number[] = [];
    for (let round = 0; round <= rounds; round++) costs.push(await costOfSteps(requests, steps));
    rows.push({ requests, microseconds: median(costs.slice(1)) });
  }
  const markdown = table(
    ['requests that decode', 'a step, µs', 'of it a request, µs'],
    rows.map(({ requests, microseconds }) => [
      requests,
      rounded(microseconds),
      rounded(microseconds / requests, 2),
    ]),
  );
  return {
    data: { steps, rows },
    markdown,
    about: `${steps} steps without a model, medians of ${inRounds(rounds)}`,
  };
}

/** Microseconds. */
async function costOfSteps(requests: number, steps: number): Promise<number> {
  const tokens = PROMPT_TOKENS + steps + 1;
  const engine = new TimedEngine({
    clock: CLOCK,
    vocabularySize: VOCABULARY,
    msPerBatch: 0,
    msPerToken: 0,
    msPerGrammar: 0,
    cells: requests * tokens,
    batchTokens: 512,
    sequences: 256,
    pageSize: 64,
  });
  const wakeup = new Wakeup();
  const { promise: decoding, resolve: began } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let finished = 0;
  let marked = { at: 0, engine: 0, steps: 0 };
  const mark = () => ({
    at: performance.now(),
    engine: engine.milliseconds,
    steps: scheduler.report().steps,
  });
  const output = {
    started: () => undefined,
    tokens: (ids: Int32Array) => {
      if (ids.length === requests && marked.at === 0) marked = mark();
    },
    finished: () => {
      if (++finished === 1) began();
      if (finished === requests) end();
    },
    failed: (_id: number, { message }: { message: string }) => {
      throw new Error(message);
    },
  };
  const options = {
    radixCache: true,
    hostPages: 0,
    evictionPolicy: 'lru',
    writePolicy: 'write_through',
    unusedDeviceTokens: 0,
    swapWorthTokens: undefined,
    prefetch: DEFAULT_PREFETCH,
    debug: false,
  } as const;
  const { cache } = createCache(engine, options, CLOCK, new CacheCounts(), () => wakeup.signal());
  const limits = {
    contextLength: tokens,
    maxRunningRequests: requests,
    chunkedPrefillSize: 512,
    mixedChunk: true,
    maxPrefillTokens: 512,
    maxQueuedRequests: requests,
  };
  const scheduler = new Scheduler(engine, cache, limits, output, CLOCK, wakeup);
  const running = scheduler.run();
  for (let id = 0; id < requests; id++)
    scheduler.submit({
      id,
      prompt: Int32Array.from({ length: PROMPT_TOKENS }, (_, i) => 1 + ((id + i) % (VOCABULARY - 1))),
      sampling: { ...GREEDY, maxTokens: steps },
      ignoreEndOfGeneration: true,
      grammar: undefined,
      topLogprobs: undefined,
      prefixSeed: undefined,
      priority: undefined,
    });
  await decoding;
  const now = mark();
  await ended;
  await scheduler.stop();
  await running;
  return (1000 * (now.at - marked.at - (now.engine - marked.engine))) / (now.steps - marked.steps);
}
