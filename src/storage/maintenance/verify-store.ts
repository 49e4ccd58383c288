import type { Clock } from '../../shared/clock.ts';
import type { StorageDriver } from '../driver.ts';
import type { Damage } from '../layers/integrity.ts';
import { type Entry, portions } from './listing.ts';
import { PageReader } from './page-reader.ts';
import { modelOf } from './pages.ts';
import { Patience } from './patience.ts';
import { INTERRUPTED, type KeyProblem, Trouble } from './trouble.ts';
import { workThrough } from './work-through.ts';

export interface StoreReport {
  /** Pages that were checked: the good ones, and those that were damaged. */
  pages: number;
  goodBytes: number;
  /** Damaged pages that were removed, and how many were damaged for which reason. */
  removed: number;
  reasons: Partial<Record<Damage, number>>;
  /** Values that are no pages. They are never touched. */
  others: number;
  /** How many could not be read or removed, and what was wrong with the first of them. */
  failedPages: number;
  failed: KeyProblem[];
  /** Why not every page was checked, or what is damaged was left; null when all is done. */
  problem: string | null;
}

export interface VerifyOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Whether damaged pages stay. */
  keep?: boolean;
  onProgress?: (done: { pages: number; bytes: number }) => void;
}

const PARALLEL = 16;

/** What good pages look like as well when their layers were configured in another way. */
const SUSPECT: ReadonlySet<Damage> = new Set<Damage>(['magic', 'version', 'length', 'corrupt']);
/** So many of them, and no page that is one: it is not worth to go on. */
const MOST_SUSPECTS = 1000;
const ALL_SUSPECT =
  'not one page is a page by this configuration, so nothing was removed. Is it the one they were written with?';

/**
 * Checks every page in a store and removes what is damaged, which a server would take for a miss. Servers may use the
 * store meanwhile. Never rejects: what was done until something went wrong is told.
 *
 * As long as no page was found that was written with the same format, keys and layers, nothing is removed for not being
 * one: it may be the configuration that is wrong.
 *
 * @param store with every layer that changes values, and no namespace
 */
export async function verifyStore(store: StorageDriver, options: VerifyOptions): Promise<StoreReport> {
  const { clock, signal, keep = false, onProgress } = options;
  const report: Omit<StoreReport, 'failedPages' | 'failed' | 'problem'> = {
    pages: 0,
    goodBytes: 0,
    removed: 0,
    reasons: {},
    others: 0,
  };
  const trouble = new Trouble();
  const reader = new PageReader(store);
  const patience = new Patience(clock);
  const enough = new AbortController();
  const both = AbortSignal.any([signal, patience.over, enough.signal]);
  /** Damaged pages that stay until it is known that the configuration is right; undefined from then on. */
  let suspects: string[] | undefined = [];
  let bytesRead = 0;

  async function* pages(): AsyncGenerator<Entry> {
    for await (const portion of portions(store, both)) {
      for (const entry of portion) {
        if (both.aborted) return;
        if (modelOf(entry.key) === undefined) report.others++;
        else yield entry;
      }
    }
  }

  const check = async (entry: Entry) => {
    await patience.ready();
    if (both.aborted) return;
    await reader.read(entry, both, async (outcome) => {
      if (outcome.kind === 'failed') {
        // What the end of the work aborted did not fail.
        if (both.aborted) return;
        trouble.failure(entry.key, outcome.error);
        patience.setback(outcome.error, both);
        return;
      }
      patience.well();
      if (outcome.kind === 'gone') return;
      report.pages++;
      bytesRead += outcome.bytes;
      onProgress?.({ pages: report.pages, bytes: bytesRead });
      if (outcome.kind === 'good') report.goodBytes += outcome.bytes;
      else report.reasons[outcome.reason] = (report.reasons[outcome.reason] ?? 0) + 1;
      await removeIfDamaged(entry.key, outcome.kind === 'good' ? undefined : outcome.reason);
    });
  };

  async function removeIfDamaged(key: string, reason: Damage | undefined): Promise<void> {
    if (reason !== undefined && suspects && SUSPECT.has(reason)) {
      suspects.push(key);
      if (suspects.length === MOST_SUSPECTS) enough.abort();
      return;
    }
    const held = suspects ?? [];
    suspects = undefined;
    if (keep) return;
    const damaged = reason === undefined ? held : [...held, key];
    const { batch } = store.capabilities;
    for (let i = 0; i < damaged.length; i += batch) await remove(damaged.slice(i, i + batch));
  }

  async function remove(keys: readonly string[]): Promise<void> {
    for (const [i, result] of (await store.remove(keys, signal)).entries()) {
      if (result.status === 'removed') report.removed++;
      if (result.status === 'error' && !signal.aborted) trouble.failure(keys[i] ?? '', result.error);
    }
  }

  try {
    await workThrough(pages(), PARALLEL, check);
  } catch (error) {
    trouble.end(error);
  }
  if (patience.over.aborted) trouble.end(patience.reason);
  if (suspects && suspects.length > 0 && !signal.aborted) trouble.end(ALL_SUSPECT);
  return {
    ...report,
    failedPages: trouble.failed,
    failed: trouble.shown,
    problem: trouble.problem ?? (signal.aborted ? INTERRUPTED : null),
  };
}
