import { StorageControl } from '../../../src/cache/storage-control.ts';
import { Attachment } from '../../../src/controller/attachment.ts';
import { AttachmentCounts } from '../../../src/controller/attachment-counts.ts';
import type { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import { StorageOperations } from '../../../src/scheduler/storage-operations.ts';
import { failure } from '../../../src/shared/errors.ts';
import type { RankReport } from '../../../src/shared/messages.ts';
import type { StorageAnswer, StorageRequest } from '../../../src/shared/storage-messages.ts';
import { layerSettings } from '../../../src/storage/layer-options.ts';
import { STORAGE_DEADLINES_MS, storageStack } from '../../../src/storage/stack.ts';
import type { StorageRank } from '../../../src/tokenizer-manager/storage/rank-answers.ts';
import { FINGERPRINT } from '../../storage/support/layers.ts';
import type { Told } from '../../support/recorder.ts';
import { type Asked, Simulation, type SimulationOptions } from '../../support/simulation.ts';
import type { SharedStore } from './shared-store.ts';

/** What becomes of one message to a rank, or of its answer. */
export type Fault =
  /** The message does not arrive. */
  | 'lost'
  /** It is carried out, and the answer does not arrive. */
  | 'answer-lost'
  /** It arrives after the deadline of whoever sent it. */
  | 'delivered-late'
  /** It is carried out, and the answer comes after that deadline. */
  | 'answered-late'
  /** The process ends when it comes, or when it was carried out. */
  | 'killed-before'
  | 'killed-after';

export const FAULTS: readonly Fault[] = [
  'lost',
  'answer-lost',
  'delivered-late',
  'answered-late',
  'killed-before',
  'killed-after',
];

/** How long a process that ended needs to come back. */
const RESTART_MS = 250;
const LATE_MS = 60_000;

const nobody = { started: () => undefined, ended: () => undefined };

/** A rank as the server sees it, without a process: a scheduler and all tiers in this one, behind messages that get lost. */
export class SimulatedRank implements StorageRank {
  readonly index: number;
  state: 'starting' | 'ready' | 'down' | 'stopped' = 'down';
  restarts = 0;
  /** Chooses what becomes of a message. */
  fault: (request: StorageRequest) => Fault | undefined = () => undefined;
  /** Milliseconds that a message takes, and then its answer. Messages stay in order. */
  delay: () => number = () => 0;
  readonly #clock: VirtualClock;
  readonly #stores: readonly SharedStore[];
  readonly #join: (rank: SimulatedRank, ready: () => void) => Promise<void>;
  readonly #options: SimulationOptions;
  #life!: { simulation: Simulation; operations: StorageOperations; ended: PromiseWithResolvers<never> };
  #asked: Asked[] = [];
  #lastDelivery: Promise<void> = Promise.resolve();

  constructor(
    index: number,
    clock: VirtualClock,
    stores: readonly SharedStore[],
    join: (rank: SimulatedRank, ready: () => void) => Promise<void>,
    options: SimulationOptions,
  ) {
    this.index = index;
    this.#clock = clock;
    this.#stores = stores;
    this.#join = join;
    this.#options = options;
  }

  get simulation(): Simulation {
    return this.#life.simulation;
  }

  /** Starts a process, which joins and then serves. */
  async start(): Promise<void> {
    this.state = 'starting';
    this.#asked = [];
    const simulation = new Simulation({ ...this.#options, clock: this.#clock });
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    const operations = new StorageOperations(simulation.scheduler, this.#control(simulation), this.#clock);
    const life = { simulation, operations, ended };
    this.#life = life;
    await this.#join(this, () => {
      if (this.#life === life && this.state === 'starting') this.state = 'ready';
    });
  }

  /** Ends the process at once; it comes back. */
  kill(): void {
    if (this.state === 'down' || this.state === 'stopped') return;
    this.state = 'down';
    const { simulation, ended } = this.#life;
    ended.reject(failure('rank_failed', { rank: this.index, reason: 'it ended' }));
    for (const { id } of this.#asked) if (simulation.output.of(id).ended.length === 0) simulation.abort(id);
    simulation.tiers.storage?.use(undefined, false);
    for (const store of this.#stores) store.forget(this.index);
    this.restarts++;
    void this.#clock.sleep(RESTART_MS).then(() => (this.state === 'down' ? this.start() : undefined));
  }

  restart(): void {
    this.kill();
  }

  /** Ends in order, as a rank process does. */
  async stop(): Promise<void> {
    this.state = 'stopped';
    const { simulation, operations } = this.#life;
    await simulation.scheduler.stop();
    await operations.close(1000);
  }

  async inspect(): Promise<RankReport> {
    return this.simulation.scheduler.report();
  }

  async storage(request: StorageRequest, deadlineMs: number): Promise<StorageAnswer> {
    if (this.state === 'down' || this.state === 'stopped') throw failure('no_rank', undefined);
    const { ended } = this.#life;
    const timer = new AbortController();
    const late = this.#clock.sleep(deadlineMs, timer.signal).then(() => {
      throw failure('deadline_exceeded', { what: `Asking rank ${this.index}`, seconds: deadlineMs / 1000 });
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#deliver(request, deadlineMs), late, ended.promise]);
    } finally {
      timer.abort();
    }
  }

  /** A request whose answer must be right, whatever happens, unless the process ends. */
  submit(asked: Asked): Told {
    this.#asked.push(asked);
    return this.simulation.submit(asked);
  }

  get asked(): readonly Asked[] {
    return this.#asked;
  }

  async #deliver(request: StorageRequest, deadlineMs: number): Promise<StorageAnswer> {
    const life = this.#life;
    const silence = new Promise<never>(() => undefined);
    const fault = this.fault(request);
    if (fault === 'lost') return silence;
    await this.#travel();
    if (fault === 'delivered-late') await this.#clock.sleep(deadlineMs + LATE_MS);
    if (fault === 'killed-before') this.kill();
    // What was sent to a process that has ended arrives nowhere.
    if (this.#life !== life || this.state === 'down') return silence;
    const answer = await life.operations.handle(request);
    if (fault === 'killed-after') this.kill();
    if (fault === 'answer-lost' || this.#life !== life) return silence;
    await this.#clock.sleep(this.delay());
    if (fault === 'answered-late') await this.#clock.sleep(deadlineMs + LATE_MS);
    return answer;
  }

  /** No message overtakes another one. */
  #travel(): Promise<void> {
    const before = this.#lastDelivery;
    this.#lastDelivery = this.#clock.sleep(this.delay()).then(() => before);
    return this.#lastDelivery;
  }

  #control(simulation: Simulation): StorageControl | undefined {
    const { storage: tier, policies } = simulation.tiers;
    if (!tier) return undefined;
    return new StorageControl({
      tier,
      policies,
      createAttachment: ({ backend }, epoch) => {
        const store = this.#stores.find(({ name }) => name === backend);
        if (!store) throw failure('storage_unknown_backend', { reason: `There is no '${backend}'.` });
        const counts = new AttachmentCounts(nobody, (text) => text);
        const stack = storageStack(store.driver(this.index), {
          clock: this.#clock,
          fingerprint: FINGERPRINT,
          namespace: FINGERPRINT,
          milliseconds: STORAGE_DEADLINES_MS,
          observer: counts,
          layers: layerSettings(backend, {}),
          onRecovered: () => tier.recovered(),
          onRejected: (reason) => store.violations.push(`a page was rejected: ${reason}`),
        });
        const pageBytes = simulation.engine.pages.bytes;
        const scrub = (text: string) => text;
        return new Attachment({ backend, stack, counts, epoch, pageBytes, clock: this.#clock, scrub });
      },
    });
  }
}
