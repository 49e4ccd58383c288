import type { Clock } from '../../../src/shared/clock.ts';
import { failure } from '../../../src/shared/errors.ts';
import type { Failed, StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { failed } from '../../../src/storage/results.ts';
import { never } from '../../storage/support/calls.ts';

/** What goes wrong when a rank opens a store: it is refused, it never ends, or it takes so long. */
export type OpenTrouble = 'refused' | 'hangs' | number;

/** A store that several ranks open, each with drivers of its own. It notices who uses it without having it open. */
export class SharedStore {
  readonly name: string;
  readonly violations: string[] = [];
  /** By rank. */
  readonly trouble = new Map<number, OpenTrouble>();
  /** Keys of pages that were written. */
  readonly written = new Set<string>();
  /** Milliseconds that every call takes. */
  latency = 0;
  /** Milliseconds that a write takes besides. */
  writeLatency = 0;
  /** Whether every call that takes keys fails. */
  failing = false;
  readonly #clock: Clock;
  readonly #values = memoryDriver();
  /** Drivers of ranks, and whether each is open; what is closed or belonged to a process that ended is not here. */
  readonly #drivers = new Map<symbol, { rank: number; isOpen: boolean }>();
  #hanging: (() => void)[] = [];

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    void this.#values.open(never);
  }

  /** Ranks that have it open, one entry for each driver. */
  get openBy(): number[] {
    return [...this.#drivers.values()].flatMap(({ rank, isOpen }) => (isOpen ? [rank] : [])).sort();
  }

  /** The process of a rank has ended: whatever it had open is gone. */
  forget(rank: number): void {
    for (const [driver, { rank: owner }] of this.#drivers) if (owner === rank) this.#drivers.delete(driver);
  }

  /** Nothing goes wrong any more, and what hangs goes on. */
  heal(): void {
    this.trouble.clear();
    for (const go of this.#hanging.splice(0)) go();
  }

  driver(rank: number): StorageDriver {
    const base = passThrough(this.#values);
    const driver = Symbol(`rank ${rank}`);
    this.#drivers.set(driver, { rank, isOpen: false });
    const each = async <R>(count: number, what: string, work: () => Promise<R[]>): Promise<R[]> => {
      const all = (failure: Failed) => Array.from({ length: count }, () => failure as R);
      const state = this.#drivers.get(driver);
      if (!state?.isOpen) {
        if (state) this.violations.push(`rank ${rank} called ${what} on ${this.name} without opening it`);
        return all(failed('closed', 'It is not open.'));
      }
      const latency = this.latency + (what === 'write' ? this.writeLatency : 0);
      if (latency > 0) await this.#clock.sleep(latency);
      if (!this.#drivers.has(driver)) return all(failed('closed', 'It was closed.'));
      if (this.failing) return all(failed('io', 'It fails.'));
      return work();
    };
    return {
      ...base,
      name: this.name,
      open: async (signal) => {
        const trouble = this.trouble.get(rank);
        if (trouble === 'refused')
          throw failure('storage_failed', { backend: this.name, reason: 'it refuses' });
        if (trouble === 'hangs') await new Promise<void>((resolve) => this.#hanging.push(resolve));
        if (typeof trouble === 'number') await this.#clock.sleep(trouble, signal);
        const state = this.#drivers.get(driver);
        if (state) state.isOpen = true;
      },
      close: async () => {
        this.#drivers.delete(driver);
      },
      has: (keys, signal) => each(keys.length, 'has', () => base.has(keys, signal)),
      read: (reads, signal) => each(reads.length, 'read', () => base.read(reads, signal)),
      write: (writes, signal) =>
        each(writes.length, 'write', () => {
          for (const { key } of writes) if (!key.startsWith('canary/')) this.written.add(key);
          return base.write(writes, signal);
        }),
      remove: (keys, signal) => each(keys.length, 'remove', () => base.remove(keys, signal)),
    };
  }
}
