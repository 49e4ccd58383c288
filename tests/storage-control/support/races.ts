import fc from 'fast-check';
import { expect } from 'vitest';
import { OPERATION_MODES, type OperationMode } from '../../../src/shared/storage-messages.ts';
import { pagesOf } from '../../cache/support/tiered-simulation.ts';
import type { Asked } from '../../support/simulation.ts';
import { attachTo, Cluster } from './cluster.ts';
import type { SimulatedRank } from './simulated-rank.ts';

type Action =
  | { do: 'attach'; store: 'a' | 'b'; replace: boolean; readThrough: number; mode: OperationMode }
  | { do: 'detach'; mode: OperationMode }
  | { do: 'clear' }
  | { do: 'submit'; rank: number; letters: string }
  | { do: 'abort'; rank: number; which: number }
  | { do: 'flush'; rank: number }
  | { do: 'kill'; rank: number }
  | { do: 'pass'; ms: number };

const RANKS = 2;
const TIMEOUT_MS = 2000;
/** What an operation may be refused with here; anything else is a defect. */
const REFUSALS = [
  'operation_in_progress',
  'scheduler_not_idle',
  'storage_attached',
  'storage_not_attached',
  'storage_not_cleared',
  'rank_failed',
  'no_rank',
  'deadline_exceeded',
  // Where the server ends meanwhile.
  'storage_failed',
  'operation_over',
];

const mode = fc.constantFrom(...OPERATION_MODES);
const rank = fc.nat(RANKS - 1);
const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant('attach' as const),
      store: fc.constantFrom('a' as const, 'b' as const),
      replace: fc.boolean(),
      readThrough: fc.constantFrom(0, 0, 0.05, 1),
      mode,
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ do: fc.constant('detach' as const), mode }), weight: 3 },
  { arbitrary: fc.constant({ do: 'clear' as const }), weight: 1 },
  {
    arbitrary: fc.record({
      do: fc.constant('submit' as const),
      rank,
      letters: fc
        .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 })
        .map((l) => l.join('')),
    }),
    weight: 12,
  },
  { arbitrary: fc.record({ do: fc.constant('abort' as const), rank, which: fc.nat(100) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant('flush' as const), rank }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('kill' as const), rank }), weight: 1 },
  {
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 2, 5, 20, 400) }),
    weight: 12,
  },
);

const SETTING = fc.record({
  actions: fc.array(ACTION, { minLength: 1, maxLength: 40, size: 'max' }),
  /** Milliseconds of one message after the other, over and over. */
  delays: fc.array(fc.constantFrom(0, 0, 1, 2, 7, 30, 600), { minLength: 1, maxLength: 10 }),
  latency: fc.constantFrom(0, 1, 5),
  opening: fc.constantFrom(undefined, 3, 50),
  hostPages: fc.integer({ min: 4, max: 64 }),
  /** Whether the server ends with whatever is under way then. */
  endsEarly: fc.boolean(),
});

type Setting = typeof SETTING extends fc.Arbitrary<infer T> ? T : never;

/**
 * Runs random races. `TIERKV_SEED` and `TIERKV_PATH` repeat what a failure printed as `seed` and `path`.
 */
export async function checkRaces(runs: number): Promise<void> {
  const { TIERKV_SEED: seed, TIERKV_PATH: path } = process.env;
  await fc.assert(
    fc.asyncProperty(SETTING, async (setting) => {
      const race = await Race.begin(setting);
      for (const action of setting.actions) await race.act(action);
      await (setting.endsEarly ? race.shutDown() : race.settle());
    }),
    {
      numRuns: runs,
      ...(seed !== undefined && { seed: Number(seed) }),
      ...(path !== undefined && { path }),
    },
  );
}

class Race {
  readonly #cluster: Cluster;
  readonly #operations: Promise<unknown>[] = [];
  readonly #asked: { rank: SimulatedRank; life: number; request: Asked }[] = [];

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  static async begin({ delays, latency, opening, hostPages }: Setting): Promise<Race> {
    const cluster = await Cluster.started(RANKS, { cache: { hostPages }, cells: 64, sequences: 4 });
    let next = 0;
    for (const one of cluster.ranks) {
      one.delay = () => delays[next++ % delays.length]!;
      for (const store of Object.values(cluster.stores))
        if (opening !== undefined) store.trouble.set(one.index, opening);
    }
    for (const store of Object.values(cluster.stores)) store.latency = latency;
    return new Race(cluster);
  }

  async act(action: Action): Promise<void> {
    const { coordinator, clock, ranks } = this.#cluster;
    switch (action.do) {
      case 'attach': {
        const { store, replace, readThrough, mode: when } = action;
        return this.#begin(coordinator.attach(attachTo(store, { replace, readThrough }), this.#order(when)));
      }
      case 'detach':
        return this.#begin(coordinator.detach(this.#order(action.mode)));
      case 'clear':
        return this.#begin(coordinator.clear('model', this.#order('live')));
      case 'submit':
        return this.#submit(ranks[action.rank]!, action.letters);
      case 'abort': {
        const { rank: one, life, request } = this.#asked[action.which % this.#asked.length] ?? {};
        if (!one || !request || life !== one.restarts || one.state !== 'ready') return;
        const told = one.simulation.output.of(request.id);
        if (told.ended.length === 0) one.simulation.abort(request.id);
        return;
      }
      case 'flush':
        if (ranks[action.rank]!.state === 'ready') ranks[action.rank]!.simulation.scheduler.flush();
        return;
      case 'kill':
        return ranks[action.rank]!.kill();
      case 'pass':
        return clock.advance(action.ms);
    }
  }

  /** Everything ends; all ranks have what was decided, and answered right. */
  async settle(): Promise<void> {
    await this.#cluster.settle();
    await this.#expectRefusals();
    this.#expectAnswers();
    await this.#cluster.expectSound();
    const backend = this.#cluster.coordinator.decided.backend;
    const state = backend === null ? 'detached null' : `attached ${backend}`;
    for (const rank of await this.#cluster.attached()) expect(rank).toContain(state);
  }

  /** The server ends, and leaves nothing. */
  async shutDown(): Promise<void> {
    const { coordinator, ranks, stores, clock } = this.#cluster;
    const ended = coordinator
      .detach(this.#order('drain'))
      .catch(() => undefined)
      .then(() => Promise.all(ranks.map((one) => one.stop())));
    await this.#cluster.during(ended);
    await this.#cluster.settle();
    await this.#expectRefusals();
    for (const store of Object.values(stores)) {
      expect(store.openBy).toEqual([]);
      expect(store.violations).toEqual([]);
    }
    expect(clock.sleepers).toBe(0);
  }

  #order(when: OperationMode) {
    return this.#cluster.order(when, TIMEOUT_MS);
  }

  #begin(operation: Promise<unknown>): void {
    const began = this.#cluster.clock.now();
    const outcome = operation.then(
      () => 'ok',
      (error: { code?: string }) => error.code ?? String(error),
    );
    this.#operations.push(
      outcome.then((code) => {
        expect(['ok', ...REFUSALS]).toContain(code);
        expect(this.#cluster.clock.now() - began).toBeLessThanOrEqual(TIMEOUT_MS);
      }),
    );
    this.#operations.at(-1)?.catch(() => undefined);
  }

  #submit(rank: SimulatedRank, letters: string): void {
    if (rank.state !== 'ready') return;
    const request = { id: this.#asked.length + 1, prompt: pagesOf(letters), maxTokens: 3 };
    this.#asked.push({ rank, life: rank.restarts, request });
    rank.submit(request);
  }

  async #expectRefusals(): Promise<void> {
    await Promise.all(this.#operations);
  }

  #expectAnswers(): void {
    for (const { rank, life, request } of this.#asked) {
      if (life !== rank.restarts) continue;
      if (!rank.simulation.output.of(request.id).aborted) rank.simulation.expectAnswered(request);
    }
  }
}
