import { type CacheObserver, type CreatedCache, createCache } from '../../src/cache/create-cache.ts';
import type { EvictionPolicy } from '../../src/cache/eviction.ts';
import type { Lease } from '../../src/cache/lease.ts';
import { DEFAULT_PREFETCH } from '../../src/cache/prefetch-policy.ts';
import type { Prefix } from '../../src/cache/prefix.ts';
import type { Arrival, RequestCache } from '../../src/cache/request-cache.ts';
import type { WritePolicy } from '../../src/cache/write-policy.ts';
import { StorageLink } from '../../src/controller/storage-link.ts';
import type { Clock } from '../../src/shared/clock.ts';
import type { CachedTokens } from '../../src/shared/messages.ts';
import { memoryDriver } from '../../src/storage/drivers/memory.ts';
import { CountedDevice } from './counted-device.ts';

export interface ServedCacheOptions {
  pageSize: number;
  /** L1 in tokens: at least the longest request. */
  deviceTokens: number;
  /** L2 in tokens. */
  hostTokens: number;
  /** Tokens that nobody uses and that stay in L1. */
  keepOnDevice: number;
  evictionPolicy: EvictionPolicy;
  writePolicy: WritePolicy;
  /** Whether there is an L3 that never forgets. */
  storage: boolean;
}

/** Sequence ids of a server with default settings. */
const SEQUENCES = 127;

/** Time stands still: nothing is slow, and every tier is worth asking. */
const CLOCK: Clock = { now: () => 0, sleep: () => Promise.resolve() };

const NOBODY: CacheObserver = {
  saved: () => undefined,
  loaded: () => undefined,
  prefetched: () => undefined,
  unfulfilled: () => undefined,
  backedUp: () => undefined,
  notBackedUp: () => undefined,
};

/**
 * The product's own tiers over a device that computes nothing, served one request after the other as the scheduler
 * would: matched, admitted, computed, published, closed.
 */
export class ServedCache {
  readonly cache: RequestCache;
  readonly #device: CountedDevice;
  readonly #storage: CreatedCache['storage'];
  #lease: Lease | undefined;
  #progress: (() => void) | undefined;

  private constructor(options: ServedCacheOptions) {
    const { pageSize, deviceTokens, hostTokens, keepOnDevice, evictionPolicy, writePolicy } = options;
    this.#device = new CountedDevice(deviceTokens, SEQUENCES, pageSize);
    const created = createCache(
      this.#device,
      {
        radixCache: true,
        hostPages: Math.floor(hostTokens / pageSize),
        evictionPolicy,
        writePolicy,
        unusedDeviceTokens: keepOnDevice,
        swapWorthTokens: undefined,
        prefetch: { ...DEFAULT_PREFETCH, policy: 'wait_complete' },
        debug: false,
      },
      CLOCK,
      NOBODY,
      () => this.#progress?.(),
    );
    this.cache = created.cache;
    this.#storage = created.storage;
  }

  static async open(options: ServedCacheOptions): Promise<ServedCache> {
    const served = new ServedCache(options);
    if (options.storage) {
      const driver = memoryDriver();
      await driver.open(new AbortController().signal);
      served.#storage?.use(new StorageLink(driver, 1), true);
    }
    return served;
  }

  /** Computes a prompt; returns what it did not have to compute. */
  async begin(prefix: Prefix): Promise<Readonly<CachedTokens>> {
    const arrival = this.cache.expect(prefix);
    await this.#until(() => arrival.ready());
    return this.#admit(prefix, arrival);
  }

  /** Computes what the prefix was extended by since, the answer, and ends the request. */
  async end(prefix: Prefix): Promise<void> {
    const lease = this.#lease;
    if (!lease) throw new Error('No request is being served.');
    this.#compute(lease.sequence, prefix.length);
    this.cache.close(lease, prefix.length);
    this.#lease = undefined;
    await this.#until(() => this.cache.idle);
  }

  #admit(prefix: Prefix, arrival: Arrival): Readonly<CachedTokens> {
    const { cache } = this;
    const lease = cache.reserve(prefix, 0);
    if (!cache.fill(lease, arrival)) throw new Error('No sequence is free.');
    arrival.leave();
    this.#compute(lease.sequence, prefix.length);
    cache.publish(lease, prefix.length, 'tokens');
    this.#lease = lease;
    return lease.cached;
  }

  #compute(sequence: number, length: number): void {
    const missing = length - this.#device.sequenceLength(sequence);
    if (!this.cache.makeRoom(missing)) throw new Error('A request is longer than L1.');
    this.#device.compute(sequence, missing);
  }

  /** Lets the storage work until something is so. */
  async #until(done: () => boolean): Promise<void> {
    this.cache.takeIn();
    while (!done()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#progress = resolve;
      await promise;
      this.cache.takeIn();
    }
    this.#progress = undefined;
  }
}
