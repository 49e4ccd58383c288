import { hash } from 'node:crypto';
import { type CreatedCache, createCache } from '../cache/create-cache.ts';
import { StorageControl } from '../cache/storage-control.ts';
import { Attachment } from '../controller/attachment.ts';
import { AttachmentCounts } from '../controller/attachment-counts.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import type { CacheOptions } from '../shared/messages.ts';
import { scrub } from '../shared/secrets.ts';
import { createBackend } from '../storage/create-backend.ts';
import { placeOfRank } from '../storage/resolve-config.ts';
import { STORAGE_DEADLINES_MS, storageStack } from '../storage/stack.ts';
import type { PageEvents } from './page-events.ts';
import type { RankMetrics } from './rank-metrics.ts';

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

/** What changes the storage of this rank; undefined where there is no L2 that its pages could come to. */
export function createStorageControl(
  rank: number,
  engine: Engine,
  { storage: tier, policies }: CreatedCache,
  clock: Clock,
  metrics: RankMetrics,
): StorageControl | undefined {
  const { pages } = engine;
  if (!tier || !pages) return undefined;
  return new StorageControl({
    tier,
    policies,
    createAttachment({ backend, config: given }, epoch, modelFingerprint) {
      const { driver, layers, secrets } = createBackend(backend, given, placeOfRank(rank));
      const hide = (text: string) => scrub(text, secrets);
      const counts = new AttachmentCounts(metrics.storage(backend), hide);
      const fingerprint = pageFingerprint(modelFingerprint, pages.format);
      const stack = storageStack(driver, {
        clock,
        fingerprint,
        namespace: fingerprint,
        milliseconds: STORAGE_DEADLINES_MS,
        observer: counts,
        layers,
        onRecovered: () => tier.recovered(),
        onRejected: (reason) => metrics.rejected(backend, reason),
      });
      return new Attachment({ backend, stack, counts, epoch, pageBytes: pages.bytes, clock, scrub: hide });
    },
  });
}

/** What the pages of a model are named by: everything that changes their bytes besides their tokens. */
function pageFingerprint(model: string, format: string): string {
  return hash('sha256', JSON.stringify([model, format]), 'hex');
}
