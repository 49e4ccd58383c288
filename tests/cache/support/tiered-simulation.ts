import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import type { CacheOptions } from '../../../src/cache/create-cache.ts';
import { DEFAULT_PREFETCH, type PrefetchSettings } from '../../../src/cache/prefetch-policy.ts';
import { StorageLink } from '../../../src/controller/storage-link.ts';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { STORAGE_DEADLINES_MS, storageStack } from '../../../src/storage/stack.ts';
import { FINGERPRINT } from '../../storage/support/layers.ts';
import type { Told } from '../../support/recorder.ts';
import { type Asked, Simulation, type SimulationOptions, tokensOf } from '../../support/simulation.ts';
import { TroubledStore } from './troubled-store.ts';

/** More than the layers need for one call. */
const TURNS = 24;

export interface TieredOptions extends SimulationOptions {
  hostPages?: number;
  prefetch?: Partial<PrefetchSettings>;
}

/** A simulation with all three tiers; every page is worth fetching. The storage is there, but not attached. */
export class TieredSimulation extends Simulation {
  readonly store = new TroubledStore(this.clock);
  readonly asked: Asked[] = [];
  #epoch = 0;
  #turns = 0;

  constructor({ hostPages = 64, prefetch, ...options }: TieredOptions = {}) {
    const cache: Partial<CacheOptions> = {
      hostPages,
      prefetch: { ...DEFAULT_PREFETCH, threshold: 1, ...prefetch },
      ...options.cache,
    };
    super({ ...options, cache });
  }

  /** Attaches the store, or another one, with all layers around it, in place of what was attached. */
  attach(driver: StorageDriver = this.store.driver(), fingerprint = FINGERPRINT): StorageLink {
    const { clock } = this;
    const active = () => {
      this.#turns = TURNS;
    };
    this.store.onAnswer = active;
    const { pages } = storageStack(driver, {
      clock,
      fingerprint,
      namespace: fingerprint,
      milliseconds: STORAGE_DEADLINES_MS,
      observer: { started: active, ended: active },
      onRejected: () => undefined,
    });
    return this.use(pages);
  }

  /** Attaches a driver as it is. */
  use(driver: StorageDriver): StorageLink {
    const link = new StorageLink(driver, ++this.#epoch);
    this.tiers.storage?.use(link, true);
    return link;
  }

  /** Stores prompts, each of whose pages the queue of writes must have room for, and makes L1 and L2 forget them. */
  async stored(...prompts: string[]): Promise<void> {
    this.attach();
    await this.drain();
    for (const letters of prompts)
      await this.serve({ id: 1000 + this.asked.length, prompt: pagesOf(letters), maxTokens: 1 });
    this.forget();
  }

  detach(): void {
    this.tiers.storage?.use(undefined, false);
  }

  override submit(asked: Asked): Told {
    this.asked.push(asked);
    return super.submit(asked);
  }

  /** Submits a prompt and waits for its answer, which must be right. */
  async serve(asked: Asked): Promise<Told> {
    const told = this.submit(asked);
    await this.drain();
    this.expectAnswered(asked);
    return told;
  }

  /** The layers let others have their turn between pages, which takes no time of the clock. */
  protected override async turn(): Promise<void> {
    do await setImmediate();
    while (this.#turns-- > 0);
    this.#turns = 0;
  }

  override async drain(): Promise<void> {
    do {
      await super.drain();
      // A deadline is no activity of the store.
      this.#turns = TURNS;
      await this.turn();
    } while (this.clock.sleepers > 0);
  }

  /** Makes L1 and L2 forget everything. */
  forget(): void {
    expect(this.scheduler.flush()).toBe(true);
  }

  /** Answers are right, nothing is held, and once the storage lets go, no slot is. */
  async settle(): Promise<void> {
    await this.drain();
    expect(this.error).toBeUndefined();
    this.store.plan = () => undefined;
    this.store.release();
    await this.drain();
    for (const asked of this.asked) {
      const { aborted, failures } = this.output.of(asked.id);
      if (!aborted && failures.length === 0) this.expectAnswered(asked);
    }
    expect(this.freeSlots + this.scheduler.report().cache.hostPages.used).toBe(
      this.tiers.pool?.capacity ?? 0,
    );
    this.expectIdle();
  }
}

/** A prompt of whole pages, each named by a letter: equal letters are equal pages. Digits at the end are single tokens. */
export function pagesOf(letters: string, pageSize = 4): number[] {
  return [...letters].flatMap((letter) =>
    letter >= '0' && letter <= '9' ? [Number(letter) + 1] : tokensOf(letter.charCodeAt(0), pageSize),
  );
}
