import type { Attachment } from '../controller/attachment.ts';
import { failure, toFailure } from '../shared/errors.ts';
import { redactConfig } from '../shared/secrets.ts';
import type {
  AttachChange,
  BreakerOrder,
  Cleared,
  ClearScope,
  StorageChange,
  StorageCheck,
  StorageSettings,
  StorageStatus,
} from '../shared/storage-messages.ts';
import type { CachePolicies } from './create-cache.ts';
import { parseStorageConfig } from './storage-config.ts';
import { planStorage, type StoragePlan } from './storage-plan.ts';
import type { StorageTier } from './storage-tier.ts';

export interface StorageControlOptions {
  tier: StorageTier;
  policies: CachePolicies;
  /**
   * Makes an attachment that is not prepared yet. Throws `storage_unknown_backend` or `storage_config`.
   *
   * @param fingerprint of the model
   */
  createAttachment: (
    target: { backend: string; config: Record<string, unknown> },
    epoch: number,
    fingerprint: string,
  ) => Attachment;
}

/** A change that can be carried out: everything that may fail has happened. It ends with `commit` or `release`. */
export interface PreparedChange {
  readonly plan: StoragePlan;
  /** Open and tried out; the change owns it. */
  readonly attachment: Attachment | undefined;
}

/** Stands in for the model's where a backend is only tried out. */
const NO_FINGERPRINT = '0'.repeat(64);

/** The settings of L3 on this rank, and the backend that they say. Changes in two steps, of which the second cannot fail. */
export class StorageControl {
  readonly #options: StorageControlOptions;
  #settings: StorageSettings;
  #current: Attachment | undefined;
  /** Attachments that are on their way out, until they are closed. */
  readonly #leaving = new Map<Attachment, Promise<void>>();
  /** Those of them that are still read from. */
  readonly #readThrough = new Set<Attachment>();
  /** Why this rank could not take what the others have in effect. */
  #restoreFailure: string | undefined;

  constructor(options: StorageControlOptions) {
    this.#options = options;
    const { prefetch, write } = options.policies;
    this.#settings = { backend: null, config: null, prefetch, writePolicy: write };
  }

  /**
   * Plans a change, and opens and tries out the backend that it needs. Whatever happens, nothing is changed.
   *
   * @param epoch of the attachment, if there is to be one
   * @throws what {@link planStorage} throws, then `storage_unknown_backend`, `storage_config`, `storage_failed`
   */
  async prepare(
    change: StorageChange,
    epoch: number,
    fingerprint: string,
    signal: AbortSignal,
  ): Promise<PreparedChange> {
    try {
      const plan = planStorage(this.#settings, change);
      if (!plan.target) return { plan, attachment: undefined };
      const attachment = this.#options.createAttachment(plan.target, epoch, fingerprint);
      await attachment.prepare(signal);
      return { plan, attachment };
    } catch (error) {
      if (change.kind === 'restore') this.#restoreFailure = toFailure(error).message;
      throw error;
    }
  }

  /** Carries a change out, between two turns of the event loop. Cannot fail. */
  commit({ plan, attachment }: PreparedChange, graceMs: number): void {
    const { tier, policies } = this.#options;
    this.#settings = plan.settings;
    this.#restoreFailure = undefined;
    policies.prefetch = plan.settings.prefetch;
    policies.write = plan.settings.writePolicy;
    if (plan.action === 'update' || plan.action === 'none') return;
    const before = this.#current;
    this.#current = attachment;
    attachment?.commit();
    tier.use(attachment?.link, plan.backfill);
    for (const other of this.#readThrough) other.readNoMore();
    if (before) this.#retire(before, graceMs, plan.readThrough);
  }

  /** Takes a prepared change back. Resolves when its backend is closed; never rejects. */
  async release({ attachment }: PreparedChange): Promise<void> {
    if (attachment) await this.#leave(attachment, attachment.drain(0));
  }

  /** Resolves when every backend that was detached is closed, but for those that are still read from. */
  async settled(): Promise<void> {
    const leaving = [...this.#leaving].filter(([attachment]) => !this.#readThrough.has(attachment));
    await Promise.all(leaving.map(([, closed]) => closed));
  }

  /** Tries a backend out without using it. Refusals are checks that fail. */
  async check(change: AttachChange, signal: AbortSignal): Promise<StorageCheck[]> {
    let attachment: Attachment;
    try {
      // As if nothing were attached: whether it would be a switch is not the question.
      planStorage({ ...this.#settings, backend: null, config: null }, change);
      const { backend: config } = parseStorageConfig(change.config);
      attachment = this.#options.createAttachment({ backend: change.backend, config }, 0, NO_FINGERPRINT);
    } catch (error) {
      return [{ name: 'config', ok: false, ms: 0, detail: toFailure(error).message }];
    }
    const checks = await attachment.try(signal);
    await this.#leave(attachment, attachment.drain(0));
    return [{ name: 'config', ok: true, ms: 0, detail: 'it is valid' }, ...checks];
  }

  /** Removes stored pages. Throws `storage_not_attached`. */
  async clear(scope: ClearScope, signal: AbortSignal): Promise<Cleared> {
    if (!this.#current) throw failure('storage_not_attached', undefined);
    const cleared = await this.#current.clear(scope, signal);
    this.#options.tier.forgetStored();
    return cleared;
  }

  /** Keeps serving away from the store, or lets the breaker decide again. Throws `storage_not_attached`. */
  setBreaker(order: BreakerOrder): void {
    if (!this.#current) throw failure('storage_not_attached', undefined);
    if (order === 'open') this.#current.holdBreaker();
    else this.#current.releaseBreaker();
  }

  /** Detaches what is attached and closes everything. */
  async close(graceMs: number): Promise<void> {
    this.commit({ plan: planStorage(this.#settings, { kind: 'detach' }), attachment: undefined }, graceMs);
    for (const other of this.#readThrough) other.readNoMore();
    await Promise.all(this.#leaving.values());
  }

  /** What is in effect now, but for what only the scheduler knows. Holds no secret. */
  status(): Omit<StorageStatus, 'blockedBy'> {
    const { tier } = this.#options;
    const current = this.#current;
    const usage = current?.usage();
    const { config } = this.#settings;
    return {
      settings: { ...this.#settings, config: config === null ? null : redactConfig(config) },
      state: current?.state ?? this.#stateWithout(),
      epoch: current?.epoch ?? null,
      attachedAt: current?.attachedAt === undefined ? null : current.attachedAt / 1000,
      health: current ? healthOf(current) : null,
      breaker: current?.breaker ?? null,
      inFlight: tier.inFlight,
      queued: tier.queued,
      pagesRead: current?.counts.pagesRead ?? 0,
      pagesWritten: current?.counts.pagesWritten ?? 0,
      errors: current?.counts.errors ?? 0,
      lastError: current?.counts.lastError ?? this.#restoreFailure ?? null,
      usedBytes: usage?.usedBytes ?? null,
      quotaBytes: usage?.quotaBytes ?? null,
    };
  }

  #stateWithout(): StorageStatus['state'] {
    if (this.#restoreFailure !== undefined) return 'failed';
    return this.#leaving.size > 0 ? 'draining' : 'detached';
  }

  #retire(attachment: Attachment, graceMs: number, readThrough: number): void {
    const { link } = attachment;
    const next = this.#current?.link;
    if (!next || readThrough === 0) return void this.#leave(attachment, attachment.drain(graceMs));
    next.readThrough(link);
    this.#readThrough.add(attachment);
    const over = () => {
      next.forgetOlder();
      this.#readThrough.delete(attachment);
    };
    void this.#leave(attachment, attachment.drain(graceMs, { milliseconds: readThrough * 1000, over }));
  }

  #leave(attachment: Attachment, closed: Promise<void>): Promise<void> {
    this.#leaving.set(attachment, closed);
    return closed.finally(() => this.#leaving.delete(attachment));
  }
}

/** A breaker that is open, and was not opened by hand, says more than the last call: there was none since. */
function healthOf({ breaker, counts }: Attachment): 'healthy' | 'failing' {
  return counts.failing || breaker === 'open' || breaker === 'half-open' ? 'failing' : 'healthy';
}
