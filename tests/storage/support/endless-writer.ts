// A process that writes pages until it is killed. Arguments: folder, fingerprint. Sends a message after each batch.
import { createDriver } from '../../../src/storage/factory.ts';
import { integrityLayer } from '../../../src/storage/layers/integrity.ts';
import { bytes, never } from './calls.ts';

const [folder = '', fingerprint = ''] = process.argv.slice(2);
const store = createDriver('file', { path: folder, max_size: '40MB', min_free_space: 0 });
const driver = integrityLayer({ fingerprint, onRejected: () => {} })(store);
await driver.open(never);
const value = bytes(1_500_000);
for (let batch = 0; ; batch++) {
  const writes = Array.from({ length: 8 }, (_, i) => ({
    key: `model/${process.pid}-${batch}-${i}`,
    parts: [value.subarray(i)],
  }));
  await driver.write(writes, never);
  process.send?.(batch);
}
