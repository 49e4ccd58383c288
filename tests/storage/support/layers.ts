import { systemClock } from '../../../src/shared/clock.ts';
import type { StorageLayer } from '../../../src/storage/driver.ts';
import { layerSettings } from '../../../src/storage/layer-options.ts';
import { breakerAround } from '../../../src/storage/layers/breaker/breaker-layer.ts';
import { compressLayer } from '../../../src/storage/layers/compress/compress-layer.ts';
import { deadlineLayer } from '../../../src/storage/layers/deadline.ts';
import { encryptLayer } from '../../../src/storage/layers/encrypt/encrypt-layer.ts';
import { integrityLayer } from '../../../src/storage/layers/integrity.ts';
import { namespaceLayer } from '../../../src/storage/layers/namespace.ts';
import { observeLayer } from '../../../src/storage/layers/observe.ts';
import { quotaLayer } from '../../../src/storage/layers/quota/quota-layer.ts';
import { type LayerSettings, storageStack } from '../../../src/storage/stack.ts';

export const FINGERPRINT = '0123456789abcdef'.repeat(4);
const MINUTE = 60_000;
const PATIENT = {
  open: MINUTE,
  close: MINUTE,
  has: MINUTE,
  read: MINUTE,
  write: MINUTE,
  remove: MINUTE,
  list: MINUTE,
};

const observer = { started: () => {}, ended: () => {} };
const integrity = { fingerprint: FINGERPRINT, onRejected: () => {} };
const deadlines = { clock: systemClock, milliseconds: PATIENT };

const keys = [{ option: 'encrypt.key', text: 'ab'.repeat(32) }];
const encrypt = encryptLayer({ keys, onUnknownKey: () => {} });
const quota = 1_000_000_000;
/** What a configuration without options of layers asks for. */
const { breaker } = layerSettings('memory', {});

function stackWith(layers: LayerSettings): StorageLayer {
  const options = { ...integrity, ...deadlines, namespace: FINGERPRINT, observer, layers };
  return (driver) => storageStack(driver, options).pages;
}

export const LAYERS: Record<string, StorageLayer> = {
  'no layer': (driver) => driver,
  'the namespace layer': namespaceLayer('some-namespace'),
  'the integrity layer': integrityLayer(integrity),
  'the deadline layer': deadlineLayer(deadlines),
  'the observe layer': observeLayer(observer, systemClock),
  'the breaker layer': (driver) => breakerAround(driver, { clock: systemClock, settings: breaker }).driver,
  'the encrypt layer': encrypt,
  'the compress layer': compressLayer({ level: 1 }),
  'the quota layer': quotaLayer({ bytes: quota, prefix: '' }),
  // Those of a server whose configuration names none.
  'all layers': stackWith({ breaker }),
  'all layers with encryption and compression': stackWith({ breaker, encrypt: keys, compress: { level: 1 } }),
  'every layer that there is': stackWith({ breaker, encrypt: keys, compress: { level: 1 }, quota }),
};
