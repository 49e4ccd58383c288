import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CacheObserver, Speeds } from '../cache/create-cache.ts';
import type { CacheReport, MetricSnapshot } from '../shared/messages.ts';
import { ATTACHMENT_STATES, BREAKER_STATES, type StorageStatus } from '../shared/storage-messages.ts';
import { failuresOf, type StorageObserver as StorageCallObserver } from '../storage/layers/observe.ts';

const MOVE_BUCKETS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];
const STORAGE_BUCKETS = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];

const DEVICE_TO_HOST = { from: 'device', to: 'host' };
const HOST_TO_STORAGE = { from: 'host', to: 'storage' };

/** What the tiers of one rank do, for Prometheus. */
export class RankMetrics implements CacheObserver {
  readonly #registry = new Registry();
  readonly #loadedTokens = this.#counter('load_back_tokens_total', 'Tokens that came from L2 to L1.');
  readonly #loadTime = this.#histogram('load_back_duration_seconds', 'One move from L2 to L1.', MOVE_BUCKETS);
  readonly #backupTokens = this.#counter(
    'backup_tokens_total',
    'Tokens that were copied to the tier below.',
    'from',
    'to',
  );
  readonly #backupTime = this.#histogram(
    'backup_duration_seconds',
    'One copy to the tier below.',
    STORAGE_BUCKETS,
    'from',
    'to',
  );
  readonly #droppedTokens = this.#counter(
    'backup_dropped_tokens_total',
    'Tokens that were not written to L3, by why.',
    'reason',
  );
  readonly #prefetchedTokens = this.#counter('prefetched_tokens_total', 'Tokens that came from L3 to L2.');
  readonly #unfulfilledTokens = this.#counter(
    'prefetch_unfulfilled_tokens_total',
    'Tokens that L3 holds and that did not come to L2, by why.',
    'reason',
  );
  readonly #callTime = this.#histogram(
    'storage_op_duration_seconds',
    'One call to the storage backend.',
    STORAGE_BUCKETS,
    'op',
    'outcome',
    'storage_backend',
  );
  readonly #bytes = this.#counter(
    'storage_bytes_total',
    'Bytes read from and written to the storage backend.',
    'op',
    'storage_backend',
  );
  readonly #inFlight = this.#gauge(
    'storage_inflight',
    'Calls to the storage backend that have not ended.',
    'op',
    'storage_backend',
  );
  readonly #errors = this.#counter(
    'storage_errors_total',
    'Keys that the storage backend failed on.',
    'op',
    'kind',
    'storage_backend',
  );
  readonly #rejectedPages = this.#counter(
    'storage_pages_rejected_total',
    'Stored pages that are damaged or not what they should be.',
    'reason',
    'storage_backend',
  );
  readonly #usedBytes = this.#gauge(
    'storage_used_bytes',
    'Bytes that the storage backend holds.',
    'storage_backend',
  );
  readonly #quotaBytes = this.#gauge('storage_quota_bytes', 'Bytes that it may hold.', 'storage_backend');
  readonly #attachmentState = this.#gauge(
    'storage_attachment_state',
    '1 for the state that the attachment of the storage backend is in, 0 for the others.',
    'state',
  );
  readonly #breakerState = this.#gauge(
    'storage_breaker_state',
    '1 for the state that the breaker of the storage backend is in, 0 for the others and where nothing is attached.',
    'state',
  );
  readonly #epoch = this.#gauge(
    'storage_attachment_epoch',
    'Number of the attachment; 0 where there is none.',
  );
  readonly #queue = this.#gauge('storage_queue_depth', 'Pages that wait to be written to L3.', 'op');
  readonly #usedTokens = this.#gauge('tier_used_tokens', 'Tokens that a tier holds.', 'tier');
  readonly #capacityTokens = this.#gauge('tier_capacity_tokens', 'Tokens that a tier can hold.', 'tier');
  readonly #evictedTokens = this.#counter(
    'evicted_tokens_total',
    'Tokens that left a tier to make room.',
    'tier',
  );
  readonly #speed = this.#gauge(
    'tokens_per_second',
    'Measured speed of computing prompts, and of loading them from a tier.',
    'source',
  );

  constructor(rank: number) {
    this.#registry.setDefaultLabels({ rank: String(rank) });
  }

  saved(tokens: number, milliseconds: number): void {
    this.#backupTokens.inc(DEVICE_TO_HOST, tokens);
    this.#backupTime.observe(DEVICE_TO_HOST, milliseconds / 1000);
  }

  loaded(tokens: number, milliseconds: number): void {
    this.#loadedTokens.inc(tokens);
    this.#loadTime.observe(milliseconds / 1000);
  }

  backedUp(tokens: number, milliseconds: number): void {
    this.#backupTokens.inc(HOST_TO_STORAGE, tokens);
    this.#backupTime.observe(HOST_TO_STORAGE, milliseconds / 1000);
  }

  notBackedUp(reason: string, tokens: number): void {
    this.#droppedTokens.inc({ reason }, tokens);
  }

  prefetched(tokens: number): void {
    this.#prefetchedTokens.inc(tokens);
  }

  unfulfilled(reason: string, tokens: number): void {
    this.#unfulfilledTokens.inc({ reason }, tokens);
  }

  rejected(backend: string, reason: string): void {
    this.#rejectedPages.inc({ reason, storage_backend: backend });
  }

  /** What its driver does, under the name of the backend. */
  storage(backend: string): StorageCallObserver {
    return {
      started: (op) => this.#inFlight.inc({ op, storage_backend: backend }),
      ended: (op, call) => {
        const { milliseconds, bytes } = call;
        this.#inFlight.dec({ op, storage_backend: backend });
        if (bytes > 0) this.#bytes.inc({ op, storage_backend: backend }, bytes);
        const failures = failuresOf(call);
        for (const [kind, keys] of failures) this.#errors.inc({ op, kind, storage_backend: backend }, keys);
        const outcome = failures.length > 0 ? 'error' : 'ok';
        this.#callTime.observe({ op, outcome, storage_backend: backend }, milliseconds / 1000);
      },
    };
  }

  /** What the tiers hold now is taken in with everything that was counted. */
  async snapshot(
    report: CacheReport,
    pageSize: number,
    speeds: Speeds,
    storage: StorageStatus | undefined,
  ): Promise<MetricSnapshot[]> {
    const { cells, hostPages, evictedTokens, queued } = report;
    this.#usedTokens.set({ tier: 'device' }, cells.used);
    this.#capacityTokens.set({ tier: 'device' }, cells.capacity);
    this.#usedTokens.set({ tier: 'host' }, hostPages.used * pageSize);
    this.#capacityTokens.set({ tier: 'host' }, hostPages.capacity * pageSize);
    this.#queue.set({ op: 'write' }, queued);
    this.#noteStorage(storage);
    this.#evictedTokens.reset();
    this.#evictedTokens.inc({ tier: 'device' }, evictedTokens.device);
    this.#evictedTokens.inc({ tier: 'host' }, evictedTokens.host);
    for (const source of ['compute', 'host', 'storage'] as const) {
      const { value } = speeds[source];
      if (value !== undefined && Number.isFinite(value)) this.#speed.set({ source }, value * 1000);
    }
    return this.#registry.getMetricsAsJSON();
  }

  #noteStorage(storage: StorageStatus | undefined): void {
    const now = storage?.state ?? 'detached';
    for (const state of ATTACHMENT_STATES) this.#attachmentState.set({ state }, state === now ? 1 : 0);
    const breaker = storage?.breaker;
    for (const state of BREAKER_STATES) this.#breakerState.set({ state }, state === breaker ? 1 : 0);
    this.#epoch.set(storage?.epoch ?? 0);
    // Of a backend that was detached nothing is known any more.
    this.#usedBytes.reset();
    this.#quotaBytes.reset();
    const storage_backend = storage?.settings.backend;
    if (!storage_backend) return;
    const { usedBytes, quotaBytes } = storage;
    if (usedBytes !== null) this.#usedBytes.set({ storage_backend }, usedBytes);
    if (quotaBytes !== null) this.#quotaBytes.set({ storage_backend }, quotaBytes);
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name: `tierkv_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    return new Gauge({ name: `tierkv_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[], ...labelNames: string[]): Histogram {
    return new Histogram({ name: `tierkv_${name}`, help, buckets, labelNames, registers: [this.#registry] });
  }
}
