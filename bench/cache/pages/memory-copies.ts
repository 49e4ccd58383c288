import { median } from '../../../src/bench/statistics.ts';
import type { HostPool } from '../../../src/controller/host-pool.ts';
import { PageMover } from '../../../src/controller/page-mover.ts';
import { Rate } from '../../../src/controller/rates.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { systemClock } from '../../../src/shared/clock.ts';

/** Gigabytes per second. */
export interface CopySpeeds {
  save: number;
  restore: number;
  copy: number;
  /** The median of the rounds' own ratios. */
  restoreOfCopy: number;
}

const REPEATS = 8;

/**
 * Moves the pages of sequence 0 to slots and back into sequence 1, as a hit in L2 does, beside copying the same bytes
 * out of the same slots.
 */
export function measureCopies(engine: Engine, pool: HostPool, slots: Int32Array, rounds: number): CopySpeeds {
  const { pages } = engine;
  if (!pages) throw new Error('The model has no pages.');
  const nobody = { saved: () => undefined, loaded: () => undefined };
  const mover = new PageMover(pages, pool, systemClock, new Rate(), nobody);
  const bytes = slots.length * pages.bytes;
  const target = new Uint8Array(bytes).fill(1);
  const works = {
    save: () => mover.save(0, 0, slots),
    copy: () => {
      for (const [i, slot] of slots.entries()) target.set(pool.page(slot), i * pages.bytes);
    },
    restore: () => {
      if (mover.load(1, 0, slots) !== 'done') throw new Error('The pages were not taken.');
    },
  };
  const speeds = { save: [] as number[], copy: [] as number[], restore: [] as number[] };
  for (let round = 0; round < REPEATS * rounds; round++) {
    for (const name of ['save', 'copy', 'restore'] as const) {
      const began = performance.now();
      works[name]();
      speeds[name].push(bytes / (performance.now() - began) / 1e6);
      engine.truncateSequence(1, 0);
    }
  }
  return {
    save: median(speeds.save),
    restore: median(speeds.restore),
    copy: median(speeds.copy),
    restoreOfCopy: median(speeds.restore.map((speed, i) => speed / speeds.copy[i]!)),
  };
}
