/** Why pages that the storage was asked for, or that were to be stored, did not arrive. */
export type UnfulfilledReason =
  /** Fewer pages are stored than a prefetch is worth. */
  | 'miss'
  /** L2 had no room for them. */
  | 'no_room'
  /** Their prefix left the cache meanwhile. */
  | 'no_prefix'
  /** Nobody waited for them any more. */
  | 'cancelled'
  /** Reading failed. */
  | 'error'
  /** What was read is no page of this model. */
  | 'rejected'
  /** They belong to a backend that is not attached any more. */
  | 'stale';

/** Why a page of L2 was not written to L3. */
export type NotBackedUpReason =
  /** Writing failed. */
  | 'error'
  /** The breaker was open. */
  | 'skipped'
  /** Too many pages waited already. */
  | 'queue_full'
  /** The backend is not attached any more. */
  | 'stale';

/** Hears of what moves between L2 and L3. */
export interface StorageObserver {
  prefetched(tokens: number): void;
  unfulfilled(reason: UnfulfilledReason, tokens: number): void;
  backedUp(tokens: number, milliseconds: number): void;
  notBackedUp(reason: NotBackedUpReason, tokens: number): void;
}
