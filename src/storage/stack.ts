import type { Clock } from '../shared/clock.ts';
import type { StorageDriver, StorageLayer } from './driver.ts';
import { type DeadlineOptions, deadlineLayer } from './layers/deadline.ts';
import { type IntegrityOptions, integrityLayer } from './layers/integrity.ts';
import { namespaceLayer } from './layers/namespace.ts';
import { observeLayer, type StorageObserver } from './layers/observe.ts';

/** The longest that a store may take for one call. Prefetches have deadlines of their own besides. */
export const STORAGE_DEADLINES_MS = {
  open: 10_000,
  close: 5_000,
  has: 5_000,
  read: 10_000,
  write: 30_000,
  remove: 5_000,
  list: 30_000,
} as const;

export interface StackOptions extends IntegrityOptions {
  clock: Clock;
  namespace: string;
  milliseconds: DeadlineOptions['milliseconds'];
  observer: StorageObserver;
}

/** A driver, seen from two places. */
export interface StorageStack {
  /** With deadlines alone: for who looks at the store as a whole. */
  store: StorageDriver;
  /** With every layer: the pages of one model. */
  pages: StorageDriver;
}

/** The layers that a store has whatever model is served: for who looks at it without one, as the commands do. */
export function storeLayers(options: DeadlineOptions): StorageLayer {
  return deadlineLayer(options);
}

/**
 * A driver with every layer around it, in the one order that is right: deadlines next to the driver, so that no layer
 * meets a broken one; headers inside of the namespace, so that they name the key as the store has it; and the observer
 * outside, where it sees timeouts, and rejected pages as the misses that they are to callers.
 */
export function storageStack(driver: StorageDriver, options: StackOptions): StorageStack {
  const store = storeLayers(options)(driver);
  const named = namespaceLayer(options.namespace)(integrityLayer(options)(store));
  return { store, pages: observeLayer(options.observer, options.clock)(named) };
}
