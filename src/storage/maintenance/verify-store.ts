import type { Clock } from '../../shared/clock.ts';
import type { StorageDriver } from '../driver.ts';
import type { Damage } from '../layers/integrity.ts';
import { type Entry, portions } from './listing.ts';
import { PageReader } from './page-reader.ts';
import { modelOf } from './pages.ts';
import { Patience } from './patience.ts';
import { Suspects } from './suspects.ts';
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
  keep?: boolean | undefined;
  /** The fingerprint of the one model whose pages are checked; absent checks those of all. */
  model?: string | undefined;
  onProgress?: (done: { pages: number; bytes: number }) => void;
}

/** A key of a page. */
interface PageEntry extends Entry {
  model: string;
}

const PARALLEL = 16;

/**
 * Checks every page in a store and removes what is damaged, which a server would take for a miss. Servers may use the
 * store meanwhile. Never rejects: what was done until something went wrong is told.
 *
 * As long as no page of a model was found that was written with the same format, keys and layers, nothing of that model
 * is removed for not being one: it may be the configuration that is wrong.
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
  const suspects = new Suspects();
  const both = AbortSignal.any([signal, patience.over]);
  let bytesRead = 0;

  async function* pages(): AsyncGenerator<PageEntry> {
    for await (const portion of portions(store, both)) {
      for (const entry of portion) {
        if (both.aborted) return;
        const model = modelOf(entry.key);
        if (model === undefined) report.others++;
        else if ((options.model ?? model) === model) yield { ...entry, model };
      }
    }
  }

  const check = async (entry: PageEntry) => {
    const { model } = entry;
    await patience.ready();
    if (both.aborted || suspects.isGivenUp(model)) return;
    await reader.read(entry, both, async (outcome) => {
      if (outcome.kind === 'failed') {
        // What the end of the work aborted did not fail.
        if (both.aborted) return;
        trouble.failure(entry.key, outcome.error);
        patience.failed(outcome.error, both);
        return;
      }
      patience.well();
      if (outcome.kind === 'gone') return;
      report.pages++;
      bytesRead += outcome.bytes;
      onProgress?.({ pages: report.pages, bytes: bytesRead });
      if (outcome.kind === 'good') {
        report.goodBytes += outcome.bytes;
        return remove(suspects.good(model));
      }
      const { reason } = outcome;
      report.reasons[reason] = (report.reasons[reason] ?? 0) + 1;
      return remove(suspects.damaged(model, entry.key, reason));
    });
  };

  async function remove(damaged: readonly string[]): Promise<void> {
    if (keep) return;
    const { batch } = store.capabilities;
    for (let i = 0; i < damaged.length; i += batch) await removeBatch(damaged.slice(i, i + batch));
  }

  async function removeBatch(keys: readonly string[]): Promise<void> {
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
  if (suspects.problem !== undefined && !signal.aborted) trouble.end(suspects.problem);
  return {
    ...report,
    failedPages: trouble.failed,
    failed: trouble.shown,
    problem: trouble.problem ?? (signal.aborted ? INTERRUPTED : null),
  };
}
