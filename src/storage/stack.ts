import type { Clock } from '../shared/clock.ts';
import type { StorageDriver, StorageLayer } from './driver.ts';
import type { Breaker, BreakerSettings } from './layers/breaker/breaker.ts';
import { breakerAround } from './layers/breaker/breaker-layer.ts';
import { type CompressOptions, compressLayer } from './layers/compress/compress-layer.ts';
import { type DeadlineOptions, deadlineLayer } from './layers/deadline.ts';
import { encryptLayer } from './layers/encrypt/encrypt-layer.ts';
import type { KeySource } from './layers/encrypt/key-ring.ts';
import { type IntegrityOptions, integrityLayer } from './layers/integrity.ts';
import { namespaceLayer } from './layers/namespace.ts';
import { observeLayer, type StorageObserver } from './layers/observe.ts';
import type { Rejection } from './layers/page-header.ts';
import { quotaLayer } from './layers/quota/quota-layer.ts';

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

/** What an operator asks for around a driver; what is undefined is not there. */
export interface LayerSettings {
  /** Undefined where it opens by hand alone. */
  breaker?: BreakerSettings | undefined;
  compress?: CompressOptions | undefined;
  /** Keys: the first one encrypts. */
  encrypt?: readonly KeySource[] | undefined;
  /** Bytes. */
  quota?: number | undefined;
}

export interface StackOptions extends Omit<IntegrityOptions, 'onRejected'> {
  clock: Clock;
  namespace: string;
  milliseconds: DeadlineOptions['milliseconds'];
  observer: StorageObserver;
  /** None where it is absent. */
  layers?: LayerSettings;
  /** Told whenever the breaker has closed again. */
  onRecovered?(): void;
  /** Told of every value that was taken for a miss. It is removed, but for those of a key that is not known here. */
  onRejected(reason: Rejection | 'corrupt' | 'unknown_key', key: string): void;
}

/** A driver, seen from several places. To open or close one of them is to open or close the driver with every layer. */
export interface StorageStack {
  /** With deadlines, and the quota, which must hear what is removed: for who looks at the store as a whole. */
  store: StorageDriver;
  /** The pages of one model, with every layer but the breaker: for operators, who want an answer in any case. */
  unguarded: StorageDriver;
  /** With every layer: for who serves. */
  pages: StorageDriver;
  breaker: Pick<Breaker, 'state' | 'hold' | 'release'>;
}

/**
 * A driver with every layer around it, in the one order that is right. From the driver outwards:
 *
 * 1. deadlines, so that no layer meets a driver that is broken;
 * 2. the quota, which counts what is really stored, and whose own calls have deadlines too;
 * 3. encryption, after compression, since nothing that is encrypted can be compressed;
 * 4. compression;
 * 5. integrity: what it verifies is the page as it was computed, whatever came of it below;
 * 6. the namespace, outside of integrity and encryption, so that both know a value by the name that the store has;
 * 7. the observer, which sees timeouts, and rejected pages as the misses that they are to callers;
 * 8. the breaker: while it is open nothing is hashed, compressed or encrypted, and nothing is counted as a call.
 */
export function storageStack(driver: StorageDriver, options: StackOptions): StorageStack {
  const { clock, namespace, observer, onRejected, layers = {} } = options;
  const timed = deadlineLayer(options)(driver);
  const counted =
    layers.quota === undefined ? timed : quotaLayer({ bytes: layers.quota, prefix: `${namespace}/` })(timed);
  const values = valueLayers(layers, (key) => onRejected('unknown_key', key))(counted);
  const named = namespaceLayer(namespace)(integrityLayer(options)(values));
  const unguarded = observeLayer(observer, clock)(named);
  const { driver: pages, breaker } = breakerAround(unguarded, {
    clock,
    settings: layers.breaker,
    onClosed: () => options.onRecovered?.(),
  });
  const { open, close } = pages;
  return { store: { ...counted, open, close }, unguarded, pages, breaker };
}

export interface ValueOptions extends DeadlineOptions {
  layers: Pick<LayerSettings, 'compress' | 'encrypt'>;
  /** Told of every value that was taken for a miss, since the key that it is encrypted with is not known here. */
  onUnknownKey(key: string): void;
}

/** A driver as who looks after stored pages sees it, whatever model they are of. To open or close one is to do so for both. */
export interface ValueStack {
  /** With deadlines alone: what the store lists and says is as it is stored. */
  store: StorageDriver;
  /** Values as they are under their header: with every layer of {@link storageStack} that changes them. */
  values: StorageDriver;
}

/** A driver with the layers that need no model. No quota is kept: it is one of the served model's pages. */
export function valueStack(driver: StorageDriver, options: ValueOptions): ValueStack {
  const timed = deadlineLayer(options)(driver);
  const values = valueLayers(options.layers, options.onUnknownKey)(timed);
  const { open, close } = values;
  return { store: { ...timed, open, close }, values };
}

/** What is done to the bytes of a value, from the driver outwards. */
function valueLayers(
  { compress, encrypt }: ValueOptions['layers'],
  onUnknownKey: ValueOptions['onUnknownKey'],
): StorageLayer {
  return (driver) => {
    const encrypted = encrypt ? encryptLayer({ keys: encrypt, onUnknownKey })(driver) : driver;
    return compress ? compressLayer(compress)(encrypted) : encrypted;
  };
}
