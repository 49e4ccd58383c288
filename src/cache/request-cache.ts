import type { CacheReport } from '../shared/messages.ts';
import type { Lease } from './lease.ts';
import type { Prefix } from './prefix.ts';

/**
 * What the scheduler sees of the tiers: prefixes come in, sequences that hold as much as possible of them come out, and
 * what was computed goes back. Every call is synchronous.
 */
export interface RequestCache {
  /** Tokens in a page. */
  readonly pageSize: number;
  /** Cells that are free, or can be by evicting what nobody uses. */
  readonly availableCells: number;
  /** Tokens of a prefix that are cached in L1 or L2 now. Changes nothing. */
  cachedTokens(prefix: Prefix): number;
  /** Takes in what has come from the storage; to be called between two steps. */
  takeIn(): void;
  /**
   * Before a step that computes prompts: takes others out of the cells where that makes it quicker. Until {@link swapIn},
   * which must follow as soon as the step has ended, only these leases' sequences are there.
   */
  swapOut(computing: readonly Lease[], tokens: number): void;
  /** Puts back what {@link swapOut} took out. */
  swapIn(): void;
  /** A request arrived: begins to fetch what the storage holds of its prefix, if that is worth it. */
  expect(prefix: Prefix): Arrival;
  /** Protects what is cached of a prefix. It ends with {@link cancel}, or is filled. */
  reserve(prefix: Prefix, priority: number): Lease;
  /** New cells that the prefix will need. */
  missingCells(lease: Lease): number;
  cancel(lease: Lease): void;
  /** Gives a sequence with what is cached; false when every sequence id is in use, and nothing changed. */
  fill(lease: Lease, arrival: Arrival): boolean;
  /** Makes cells free by evicting; false when they do not suffice even then. */
  makeRoom(cells: number): boolean;
  /** The first `computed` tokens of the prefix are in the sequence: others may use them from now on. */
  publish(lease: Lease, computed: number, what: 'pages' | 'tokens'): void;
  /** The request is over: keeps what was computed and takes the sequence back. */
  close(lease: Lease, computed: number): void;
  /** Measured speed of computing, for choosing between computing and loading. */
  computed(tokens: number, milliseconds: number): void;
  /** Whether nothing is computed now, so that what holds up the device holds up nobody. */
  rest(isResting: boolean): void;
  /** Whether nothing is being moved to or from the storage. */
  readonly idle: boolean;
  /** Drops everything. No lease is open. */
  flush(): void;
  report(): CacheReport;
}

/** A request that waits, as the tiers see it. */
export interface Arrival {
  /** Whether the request may be admitted: nothing is being fetched for it that its policy waits for. */
  ready(): boolean;
  /** Begins to fetch again what L1 and L2 held when it last looked and hold no more; whether the request waits for that. */
  asksAgain(): boolean;
  /** The request was admitted or is not wanted any more. Whoever fetches only for it stops. */
  leave(): void;
  /** How many tokens of a range, both ends multiples of pages or the prefix' end, were fetched for this request. */
  fetchedTokens(from: number, to: number): number;
}

/** Of a request that waits for no storage. */
export const ADMIT_AT_ONCE: Arrival = {
  ready: () => true,
  asksAgain: () => false,
  leave: () => undefined,
  fetchedTokens: () => 0,
};
