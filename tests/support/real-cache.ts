import { afterEach } from 'vitest';
import { type CacheOptions, type CreatedCache, createCache } from '../../src/cache/create-cache.ts';
import { DEFAULT_PREFETCH } from '../../src/cache/prefetch-policy.ts';
import { StorageLink } from '../../src/controller/storage-link.ts';
import type { Engine, TokenLogprobs } from '../../src/engine/engine.ts';
import type { SchedulerOutput } from '../../src/scheduler/output.ts';
import type { RequestSpec } from '../../src/scheduler/request.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { systemClock } from '../../src/shared/clock.ts';
import type { CachedTokens, SchedulerLimits } from '../../src/shared/messages.ts';
import { Wakeup } from '../../src/shared/wakeup.ts';
import type { StorageDriver } from '../../src/storage/driver.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { storageStack } from '../../src/storage/stack.ts';
import { CacheCounts } from './cache-counts.ts';

const FINGERPRINT = 'f'.repeat(64);
const STORAGE_MS = { open: 5000, close: 5000, has: 5000, read: 5000, write: 5000, remove: 5000, list: 5000 };

/** All tiers, checked after every operation; every page is worth fetching and waiting for. */
const CACHE: CacheOptions = {
  radixCache: true,
  hostPages: 0,
  evictionPolicy: 'lru',
  writePolicy: 'write_through',
  unusedDeviceTokens: Number.POSITIVE_INFINITY,
  swapWorthTokens: 0,
  prefetch: { ...DEFAULT_PREFETCH, policy: 'wait_complete', threshold: 1 },
  debug: true,
};

const LIMITS: SchedulerLimits = {
  contextLength: 256,
  maxRunningRequests: 4,
  chunkedPrefillSize: 32,
  maxPrefillTokens: 48,
  mixedChunk: false,
  maxQueuedRequests: 1000,
};

export interface Answer {
  tokens: number[];
  logprobs: (TokenLogprobs | null)[];
  cached: CachedTokens;
}

interface OpenAnswer extends Answer {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

const open = new Set<RealCache>();

/** A scheduler with its tiers over a real engine, in this process and in real time. */
export class RealCache {
  readonly counts = new CacheCounts();
  /** Pages that the storage gave and that were none, by reason. */
  readonly rejected: string[] = [];
  readonly tiers: CreatedCache;
  readonly scheduler: Scheduler;
  readonly #answers = new Map<number, OpenAnswer>();
  readonly #running: Promise<void>;
  #driver: StorageDriver | undefined;

  constructor(engine: Engine, cache: Partial<CacheOptions>, limits: Partial<SchedulerLimits> = {}) {
    const wakeup = new Wakeup();
    const wake = () => wakeup.signal();
    this.tiers = createCache(engine, { ...CACHE, ...cache }, systemClock, this.counts, wake);
    const all = { ...LIMITS, ...limits };
    this.scheduler = new Scheduler(engine, this.tiers.cache, all, this.#output(), systemClock, wakeup);
    this.#running = this.scheduler.run().catch((error: Error) => {
      for (const { reject } of this.#answers.values()) reject(error);
      throw error;
    });
    // Whoever waits for an answer hears of it, and `stop` does.
    this.#running.catch(() => undefined);
    open.add(this);
  }

  /** Attaches the file backend over a folder. */
  async attach(folder: string): Promise<void> {
    const { pages: driver } = storageStack(createDriver('file', { path: folder, min_free_space: 0 }), {
      clock: systemClock,
      fingerprint: FINGERPRINT,
      namespace: FINGERPRINT,
      milliseconds: STORAGE_MS,
      observer: { started: () => undefined, ended: () => undefined },
      onRejected: (reason) => this.rejected.push(reason),
    });
    await driver.open(AbortSignal.timeout(STORAGE_MS.open));
    this.#driver = driver;
    this.tiers.storage?.use(new StorageLink(driver, 1), true);
  }

  answer(spec: RequestSpec): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const cached = { device: 0, host: 0, storage: 0 };
      this.#answers.set(spec.id, { tokens: [], logprobs: [], cached, resolve, reject });
      this.scheduler.submit(spec);
    });
  }

  /** Ends a request; its answer never comes. */
  abort(id: number): void {
    this.#answers.delete(id);
    this.scheduler.abort(id);
  }

  /** Waits until nothing is moved any more; rejects when that takes too long. */
  async settled(): Promise<void> {
    const until = performance.now() + 20_000;
    while (!this.#isIdle()) {
      if (performance.now() > until) throw new Error(JSON.stringify(this.scheduler.report()));
      await systemClock.sleep(1);
    }
  }

  /** Waits until nothing is moved any more, drops everything and lets the engine go. Throws when something is left. */
  async stop(): Promise<void> {
    await this.settled();
    if (!this.scheduler.flush()) throw new Error('An idle cache was not flushed.');
    const { cells, hostPages, sequences } = this.scheduler.report().cache;
    const held = cells.used + hostPages.used + sequences.running + sequences.cached;
    if (held > 0)
      throw new Error(`A flushed cache holds ${JSON.stringify({ cells, hostPages, sequences })}.`);
    await this.end();
  }

  /** Ends it, whatever it does: the engine is free for the next one. */
  async end(): Promise<void> {
    open.delete(this);
    await this.scheduler.stop();
    await this.#running;
    this.tiers.storage?.use(undefined, false);
    await this.#driver?.close();
    this.tiers.cache.flush();
  }

  #isIdle(): boolean {
    const { running, waiting, cache } = this.scheduler.report();
    return running + waiting + cache.sequences.running === 0 && this.tiers.cache.idle;
  }

  #output(): SchedulerOutput {
    const take = (id: number) => {
      const answer = this.#answers.get(id);
      this.#answers.delete(id);
      return answer;
    };
    return {
      started: (id, cached) => {
        const answer = this.#answers.get(id);
        if (answer) answer.cached = { ...cached };
      },
      tokens: (ids, tokens, logprobs) => {
        for (const [i, id] of ids.entries()) {
          const answer = this.#answers.get(id);
          answer?.tokens.push(tokens[i]!);
          answer?.logprobs.push(logprobs?.[i] ?? null);
        }
      },
      finished: (id) => {
        const answer = take(id);
        answer?.resolve(answer);
      },
      failed: (id, failure) => take(id)?.reject(failure),
    };
  }
}

afterEach(async () => {
  for (const cache of [...open]) await cache.end();
});
