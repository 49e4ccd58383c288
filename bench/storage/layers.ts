import type { StorageLayer } from '../../src/storage/driver.ts';
import { integrityLayer } from '../../src/storage/layers/integrity.ts';

/** What every stored page pays for. */
export const LAYERS: Record<string, StorageLayer> = {
  integrity: integrityLayer({
    fingerprint: '0'.repeat(64),
    onRejected: (reason) => {
      throw new Error(`A page was rejected: ${reason}.`);
    },
  }),
};
