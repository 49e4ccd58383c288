import type { CacheReport } from '../shared/messages.ts';
import type { DeviceCells } from './device-tier.ts';
import type { Lease } from './lease.ts';
import type { Prefix } from './prefix.ts';
import { ADMIT_AT_ONCE, type Arrival, type RequestCache } from './request-cache.ts';

interface PlainLease extends Lease {
  sequence: number;
}

/** Gives out empty sequences and keeps nothing: for comparison, and for models whose KV cannot be shared. */
export class NoReuse implements RequestCache {
  /** Nothing is cut into pages; prefixes want to know one. */
  readonly pageSize = 64;
  readonly idle = true;
  readonly #cells: DeviceCells;
  readonly #free: number[];

  constructor(cells: DeviceCells) {
    this.#cells = cells;
    const { sequences } = cells.limits;
    this.#free = Array.from({ length: sequences }, (_, i) => sequences - 1 - i);
  }

  get availableCells(): number {
    return this.#cells.limits.cells - this.#cells.cellsInUse;
  }

  cachedTokens(): number {
    return 0;
  }

  takeIn(): void {}

  swapOut(): void {}

  swapIn(): void {}

  rest(): void {}

  expect(): Arrival {
    return ADMIT_AT_ONCE;
  }

  reserve(prefix: Prefix, priority: number): Lease {
    return { prefix, priority, sequence: -1, cached: { device: 0, host: 0, storage: 0 } };
  }

  missingCells({ prefix }: Lease): number {
    return prefix.length;
  }

  cancel(): void {}

  fill(lease: Lease): boolean {
    const sequence = this.#free.pop();
    if (sequence === undefined) return false;
    (lease as PlainLease).sequence = sequence;
    return true;
  }

  makeRoom(cells: number): boolean {
    return this.availableCells >= cells;
  }

  publish(): void {}

  close({ sequence }: Lease): void {
    this.#cells.truncateSequence(sequence, 0);
    this.#free.push(sequence);
  }

  computed(): void {}

  flush(): void {}

  report(): CacheReport {
    const { cells, sequences } = this.#cells.limits;
    return {
      cells: { capacity: cells, used: this.#cells.cellsInUse, evictable: 0 },
      hostPages: { capacity: 0, used: 0 },
      sequences: { running: sequences - this.#free.length, cached: 0 },
      evictedTokens: { device: 0, host: 0 },
      inFlight: { prefetch: 0, backup: 0 },
      queued: 0,
    };
  }
}
