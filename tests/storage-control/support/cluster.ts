import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { DEFAULT_PREFETCH } from '../../../src/cache/prefetch-policy.ts';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { AttachChange, OperationMode, StorageSettings } from '../../../src/shared/storage-messages.ts';
import type { OperationOrder, OperationRecord } from '../../../src/tokenizer-manager/storage/operation.ts';
import { StorageCoordinator } from '../../../src/tokenizer-manager/storage/storage-coordinator.ts';
import { pagesOf } from '../../cache/support/tiered-simulation.ts';
import type { SimulationOptions } from '../../support/simulation.ts';
import { SharedStore } from './shared-store.ts';
import { SimulatedRank } from './simulated-rank.ts';

/** More than the layers need for one call. */
const TURNS = 24;
const PREFETCH = { ...DEFAULT_PREFETCH, threshold: 1 };
export const SETTINGS: StorageSettings = {
  backend: null,
  config: null,
  prefetch: PREFETCH,
  writePolicy: 'write_through',
};

const CLIENT = { key: 'test' };

export function attachTo(backend: string, change: Partial<AttachChange> = {}): AttachChange {
  return { kind: 'attach', backend, replace: false, readThrough: 0, backfill: true, ...change };
}

/** Ranks, the stores that they can attach, and what changes that on all of them, on one clock that moves only when told to. */
export class Cluster {
  readonly clock = new VirtualClock(() => this.#turn());
  readonly stores = { a: new SharedStore('a', this.clock), b: new SharedStore('b', this.clock) };
  readonly records: OperationRecord[] = [];
  readonly unrestored: number[] = [];
  readonly coordinator: StorageCoordinator;
  readonly ranks: SimulatedRank[];
  #lastId = 0;

  constructor(ranks: number, options: SimulationOptions = {}) {
    const cache = { hostPages: 64, prefetch: PREFETCH, ...options.cache };
    const stores = Object.values(this.stores);
    this.coordinator = new StorageCoordinator({
      ranks: () => this.ranks,
      clock: this.clock,
      settings: SETTINGS,
      fingerprint: async () => 'model',
      onEnded: (record) => this.records.push(record),
      onUnrestored: (rank) => this.unrestored.push(rank),
    });
    const join = (rank: SimulatedRank, ready: () => void) => this.coordinator.join(rank, ready);
    this.ranks = Array.from(
      { length: ranks },
      (_, i) => new SimulatedRank(i, this.clock, stores, join, { ...options, cache }),
    );
  }

  static async started(ranks: number, options?: SimulationOptions): Promise<Cluster> {
    const cluster = new Cluster(ranks, options);
    await cluster.during(Promise.all(cluster.ranks.map((rank) => rank.start())));
    return cluster;
  }

  order(mode: OperationMode = 'live', timeoutMs = 10_000): OperationOrder {
    return { mode, timeoutMs, by: CLIENT };
  }

  /** The outcome of an operation, while time passes: `ok`, or the code of what it was refused with. */
  async outcome(operation: Promise<unknown>): Promise<string> {
    return (await this.timed(operation)).outcome;
  }

  /** The same, with the milliseconds that it took. */
  async timed(operation: Promise<unknown>): Promise<{ outcome: string; milliseconds: number }> {
    const began = this.clock.now();
    const ended = (outcome: string) => ({ outcome, milliseconds: this.clock.now() - began });
    return this.during(
      operation.then(
        () => ended('ok'),
        (error: { code?: string }) => ended(error.code ?? String(error)),
      ),
    );
  }

  /** Lets time pass until the work is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (let i = 0; i < 1000 && !isDone; i++) await this.clock.advance(i === 0 ? 0 : 200);
    return work;
  }

  /** Lets everything end that ends by itself. */
  async settle(): Promise<void> {
    for (let i = 0; i < 100 && (i === 0 || this.clock.sleepers > 0); i++) await this.clock.advance(10_000);
  }

  /** One line for each rank: what is attached, in which state. */
  async attached(): Promise<string[]> {
    const ranks = await this.during(this.coordinator.status());
    return ranks.map(({ status }) => `${status?.state} ${status?.settings.backend} ${status?.epoch}`);
  }

  /** Asks every rank something, and expects the right answers. */
  async serve(letters: string, ranks: readonly SimulatedRank[] = this.ranks): Promise<number[]> {
    const asked = ranks.map((rank) => {
      const request = { id: ++this.#lastId, prompt: pagesOf(letters), maxTokens: 2 };
      return { rank, request, told: rank.submit(request) };
    });
    await this.settle();
    return asked.map(({ rank, request, told }) => {
      rank.simulation.expectAnswered(request);
      return told.started[0]?.storage ?? 0;
    });
  }

  /** Nothing is open but what is attached, nothing is held, and the stores were used as they should be. */
  async expectSound(): Promise<void> {
    await this.settle();
    const { backend } = this.coordinator.decided;
    for (const store of Object.values(this.stores)) {
      expect(store.violations).toEqual([]);
      expect(store.openBy, store.name).toEqual(
        store.name === backend ? this.ranks.map(({ index }) => index) : [],
      );
    }
    expect(this.ranks.map(({ state }) => state)).toEqual(this.ranks.map(() => 'ready'));
    for (const { simulation } of this.ranks) simulation.expectIdle();
    expect(this.clock.sleepers).toBe(0);
  }

  async #turn(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await setImmediate();
  }
}
