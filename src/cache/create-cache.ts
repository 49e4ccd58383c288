import { Backups } from '../controller/backups.ts';
import { HostPool } from '../controller/host-pool.ts';
import { type MoveObserver, PageMover } from '../controller/page-mover.ts';
import { Rate, Worth } from '../controller/rates.ts';
import type { StorageObserver } from '../controller/storage-observer.ts';
import type { Engine } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import { checkedCache } from './checked-cache.ts';
import { type DeviceCells, DeviceTier } from './device-tier.ts';
import type { EvictionPolicy } from './eviction.ts';
import { Fetches } from './fetches.ts';
import { HostTier } from './host-tier.ts';
import { NoReuse } from './no-reuse.ts';
import type { PrefetchSettings } from './prefetch-policy.ts';
import { PrefixCache } from './prefix-cache.ts';
import { RadixTree } from './radix-tree.ts';
import type { RequestCache } from './request-cache.ts';
import { StorageTier } from './storage-tier.ts';
import { type MovableCells, Swapping } from './swapping.ts';
import type { WritePolicy } from './write-policy.ts';

/** The share of L2 that may wait to be written to the storage. */
const BACKUP_SHARE = 0.25;

export interface CacheOptions {
  /** Without it nothing is reused. */
  radixCache: boolean;
  /** L2 in pages; 0 is none. */
  hostPages: number;
  evictionPolicy: EvictionPolicy;
  writePolicy: WritePolicy;
  /** Tokens that nobody uses and that stay on the device all the same, when L2 can hold them. */
  unusedDeviceTokens: number;
  /** As {@link Swapping} has it; undefined is never. */
  swapWorthTokens?: number | undefined;
  prefetch: PrefetchSettings;
  /** Checks every invariant after every operation. */
  debug: boolean;
}

export interface CacheObserver extends MoveObserver, StorageObserver {}

/** The speeds that decide between computing and loading, in tokens per millisecond. */
export interface Speeds {
  compute: Rate;
  host: Rate;
  storage: Rate;
}

/** What operators change while requests are served. Whoever goes by it looks here every time. */
export interface CachePolicies {
  write: WritePolicy;
  prefetch: PrefetchSettings;
}

export interface CreatedCache {
  cache: RequestCache;
  policies: CachePolicies;
  /** Where a backend is attached; undefined where there is no L2 to bring its pages to. */
  storage: StorageTier | undefined;
  /** L2's memory, for who counts what is in use. */
  pool: HostPool | undefined;
  speeds: Speeds;
}

/**
 * Puts the tiers of one rank together.
 *
 * @param onProgress something that a waiting request waits for has happened
 * @param events told which pages came into L1 and L2 and which are in neither any more
 */
export function createCache(
  engine: DeviceCells & MovableCells & Pick<Engine, 'pages'>,
  options: CacheOptions,
  clock: Clock,
  observer: CacheObserver,
  onProgress: () => void,
  events?: { stored(keys: readonly string[]): void; removed(keys: readonly string[]): void },
): CreatedCache {
  const computeRate = new Rate();
  const loading = new Worth(computeRate);
  const reading = new Worth(computeRate);
  const speeds = { compute: computeRate, host: loading.rate, storage: reading.rate };
  const policies: CachePolicies = { write: options.writePolicy, prefetch: options.prefetch };
  const { pages } = engine;
  if (!options.radixCache || !pages) {
    return { cache: new NoReuse(engine), policies, storage: undefined, pool: undefined, speeds };
  }

  const tree = new RadixTree(pages.tokens, options.evictionPolicy);
  tree.onStored = events?.stored;
  tree.onRemoved = events?.removed;
  const device = new DeviceTier(engine, tree);
  let host: HostTier | undefined;
  let storage: StorageTier | undefined;
  if (options.hostPages > 0) {
    const pool = new HostPool(options.hostPages, pages.bytes, pages.memory);
    host = new HostTier(pool, tree, device, new PageMover(pages, pool, clock, loading.rate, observer));
    const fetches = new Fetches({
      tree,
      host,
      clock,
      observer,
      reading,
      onProgress,
      policies,
      isPage: (page, position) => pages.accepts(page, position),
    });
    storage = new StorageTier({
      tree,
      host,
      fetches,
      onProgress,
      backupsTo: (link, onIdle) =>
        new Backups({
          pool,
          link,
          clock,
          observer,
          mostQueued: Math.max(1, Math.floor(pool.capacity * BACKUP_SHARE)),
          tokensPerPage: pages.tokens,
          onIdle,
        }),
    });
  }
  const { unusedDeviceTokens, swapWorthTokens } = options;
  const swapping =
    swapWorthTokens === undefined ? undefined : new Swapping(engine, pages, host?.pool, swapWorthTokens);
  const parts = {
    tree,
    device,
    host,
    storage,
    policies,
    unusedDeviceTokens,
    swapping,
    computeRate,
    loading,
  };
  const cache = new PrefixCache(parts);
  const checked = options.debug ? checkedCache(cache, { tree, device, cells: engine, host }) : cache;
  return { cache: checked, policies, storage, pool: host?.pool, speeds };
}
