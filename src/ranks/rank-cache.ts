import { hash } from 'node:crypto';
import { type CreatedCache, createCache } from '../cache/create-cache.ts';
import { StorageLink } from '../controller/storage-link.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import type { CacheOptions } from '../shared/messages.ts';
import { createDriver } from '../storage/factory.ts';
import { STORAGE_DEADLINES_MS, storageStack } from '../storage/stack.ts';
import type { PageEvents } from './page-events.ts';
import type { RankMetrics } from './rank-metrics.ts';

/** How long a rank that ends goes on writing what waits to be stored. */
const LAST_WRITES_MS = 2_000;

/** The tiers of this rank, as the operator asked for them. */
export function createRankCache(
  engine: Engine,
  options: CacheOptions,
  clock: Clock,
  metrics: RankMetrics,
  onProgress: () => void,
  events: PageEvents | undefined,
): CreatedCache {
  const pageBytes = engine.pages?.bytes ?? 0;
  const hostPages = pageBytes > 0 ? Math.floor(options.hostBytes / pageBytes) : 0;
  return createCache(engine, { ...options, hostPages }, clock, metrics, onProgress, events);
}

/** The backend that a rank was started with. */
export interface AttachedStorage {
  /** Writes what still waits, for a moment, and closes it. Never throws. */
  close(): Promise<void>;
}

/**
 * Opens the storage backend that the server was started with and attaches it. Serving does not wait for it.
 *
 * @returns undefined when there is none, or nothing that could use it
 * @throws `storage_config`, `storage_unknown_backend`, `storage_failed`
 */
export async function attachStorage(
  engine: Engine,
  { storage: tier }: CreatedCache,
  { storage, modelFingerprint }: CacheOptions,
  clock: Clock,
  metrics: RankMetrics,
): Promise<AttachedStorage | undefined> {
  if (!tier || !storage || !engine.pages || modelFingerprint === undefined) return undefined;
  const fingerprint = pageFingerprint(modelFingerprint, engine.pages.format);
  const driver = storageStack(createDriver(storage.backend, JSON.parse(storage.config)), {
    clock,
    fingerprint,
    namespace: fingerprint,
    milliseconds: STORAGE_DEADLINES_MS,
    observer: metrics.storage(storage.backend),
    onRejected: (reason) => metrics.rejected(storage.backend, reason),
  });
  await driver.open(AbortSignal.timeout(STORAGE_DEADLINES_MS.open));
  tier.use(new StorageLink(driver, 1));
  metrics.usageOf(storage.backend, () => driver.usage?.());
  return {
    async close() {
      const until = clock.now() + LAST_WRITES_MS;
      while (tier.busy && clock.now() < until) await clock.sleep(LAST_WRITES_MS / 100);
      tier.use(undefined);
      await driver.close();
    },
  };
}

/** What the pages of a model are named by: everything that changes their bytes besides their tokens. */
function pageFingerprint(model: string, format: string): string {
  return hash('sha256', JSON.stringify([model, format]), 'hex');
}
