import { systemClock } from '../../../src/shared/clock.ts';
import type { StorageLayer } from '../../../src/storage/driver.ts';
import { deadlineLayer } from '../../../src/storage/layers/deadline.ts';
import { integrityLayer } from '../../../src/storage/layers/integrity.ts';
import { namespaceLayer } from '../../../src/storage/layers/namespace.ts';
import { observeLayer } from '../../../src/storage/layers/observe.ts';
import { storageStack } from '../../../src/storage/stack.ts';

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

export const LAYERS: Record<string, StorageLayer> = {
  'no layer': (driver) => driver,
  'the namespace layer': namespaceLayer('some-namespace'),
  'the integrity layer': integrityLayer(integrity),
  'the deadline layer': deadlineLayer(deadlines),
  'the observe layer': observeLayer(observer, systemClock),
  'all layers': (driver) =>
    storageStack(driver, { ...integrity, ...deadlines, namespace: FINGERPRINT, observer }).pages,
};
