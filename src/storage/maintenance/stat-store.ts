import type { Clock } from '../../shared/clock.ts';
import type { StorageDriver, Usage } from '../driver.ts';
import { type Entry, portions } from './listing.ts';
import { PageReader } from './page-reader.ts';
import { modelOf } from './pages.ts';
import { Patience } from './patience.ts';
import { INTERRUPTED, type KeyProblem, Trouble } from './trouble.ts';
import { workThrough } from './work-through.ts';

export interface StoreStat {
  /** In the order of their fingerprints. */
  models: ModelStat[];
  pages: number;
  /** As the store keeps them; null where it does not tell that of every page. */
  bytes: number | null;
  /** Values that are no pages. Nothing else is known of them. */
  others: number;
  /** What the store itself says; null where it does not. */
  usage: Usage | null;
  /** Pages whose length could not be read. */
  failed: KeyProblem[];
  /** Why this is not all; null when it is. */
  problem: string | null;
}

interface ModelStat {
  /** The fingerprint of the model, which is the namespace of its pages. */
  model: string;
  pages: number;
  bytes: number | null;
}

export interface StatOptions {
  clock: Clock;
  signal: AbortSignal;
  /** Where pages are read whose length the list does not tell, with every layer that changes values; absent: nowhere. */
  readFrom?: StorageDriver | undefined;
  onProgress?: (pages: number) => void;
}

const PARALLEL = 16;

/** Counts what a store holds. Never rejects, and changes nothing. */
export async function statStore(store: StorageDriver, options: StatOptions): Promise<StoreStat> {
  const { clock, signal, readFrom, onProgress } = options;
  const models = new Map<string, ModelStat>();
  const trouble = new Trouble();
  const reader = readFrom && new PageReader(readFrom);
  const patience = new Patience(clock);
  const both = AbortSignal.any([signal, patience.over]);
  let [pages, others] = [0, 0];

  async function* entries(): AsyncGenerator<Entry> {
    for await (const portion of portions(store, both)) yield* portion;
  }

  async function count(entry: Entry): Promise<void> {
    await patience.ready();
    if (both.aborted) return;
    const model = modelOf(entry.key);
    if (model === undefined) return void others++;
    const bytes = entry.bytes ?? (reader ? await lengthOf(reader, entry) : null);
    if (bytes === 'gone' || both.aborted) return;
    const counted = models.get(model) ?? { model, pages: 0, bytes: 0 };
    models.set(model, counted);
    counted.pages++;
    counted.bytes = counted.bytes === null || bytes === null ? null : counted.bytes + bytes;
    pages++;
    onProgress?.(pages);
  }

  const lengthOf = (from: PageReader, entry: Entry) =>
    from.read(entry, both, (outcome) => {
      if (outcome.kind === 'failed') {
        if (both.aborted) return null;
        trouble.failure(entry.key, outcome.error);
        patience.failed(outcome.error, both);
        return null;
      }
      patience.well();
      return outcome.kind === 'gone' ? outcome.kind : outcome.bytes;
    });

  try {
    await workThrough(entries(), reader ? PARALLEL : 1, count);
  } catch (error) {
    trouble.end(error);
  }
  if (patience.over.aborted) trouble.end(patience.reason);
  const sorted = [...models.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
  return {
    models: sorted,
    pages,
    bytes: sorted.reduce<number | null>(
      (sum, { bytes }) => (sum === null || bytes === null ? null : sum + bytes),
      0,
    ),
    others,
    usage: store.usage?.() ?? null,
    failed: trouble.shown,
    problem: trouble.problem ?? (signal.aborted ? INTERRUPTED : null),
  };
}
