import type { PageAccess, RestoreOutcome } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import type { HostPool } from './host-pool.ts';
import type { Rate } from './rates.ts';

/** Hears of every move between L1 and L2. */
export interface MoveObserver {
  saved(tokens: number, milliseconds: number): void;
  loaded(tokens: number, milliseconds: number): void;
}

/** Copies pages between the cells of a sequence and the host pool. */
export class PageMover {
  readonly #pages: PageAccess;
  readonly #pool: HostPool;
  readonly #clock: Clock;
  readonly #observer: MoveObserver;
  /** Tokens from L2 to L1. */
  readonly #loadRate: Rate;

  constructor(pages: PageAccess, pool: HostPool, clock: Clock, loadRate: Rate, observer: MoveObserver) {
    this.#pages = pages;
    this.#pool = pool;
    this.#clock = clock;
    this.#loadRate = loadRate;
    this.#observer = observer;
  }

  /** L1→L2: the pages of a sequence from position `from` on, one into each slot, which the caller holds. */
  save(sequence: number, from: number, slots: Int32Array): void {
    const began = this.#clock.now();
    this.#pages.save(sequence, from, this.#views(slots));
    this.#observer.saved(slots.length * this.#pages.tokens, this.#clock.now() - began);
  }

  /** L2→L1: extends a sequence of `from` positions by the pages of the slots, all or none. */
  load(sequence: number, from: number, slots: Int32Array): RestoreOutcome {
    const began = this.#clock.now();
    const outcome = this.#pages.restore(sequence, from, this.#views(slots));
    if (outcome === 'done') {
      const [tokens, time] = [slots.length * this.#pages.tokens, this.#clock.now() - began];
      this.#loadRate.measured(tokens, time);
      this.#observer.loaded(tokens, time);
    }
    return outcome;
  }

  /** L2→L1: extends a sequence of `from` positions by those of one slot's page up to `to`. */
  loadPart(sequence: number, from: number, to: number, slot: number, start: number): RestoreOutcome {
    const began = this.#clock.now();
    const outcome = this.#pages.restorePart(sequence, from, to, this.#pool.page(slot), start);
    // It says nothing of how quickly whole pages are loaded.
    if (outcome === 'done') this.#observer.loaded(to - from, this.#clock.now() - began);
    return outcome;
  }

  #views(slots: Int32Array): Uint8Array[] {
    return Array.from(slots, (slot) => this.#pool.page(slot));
  }
}
