// A process that writes pages until it is killed. Arguments: folder, fingerprint, quota, bytes of a page. Sends what
// became of every page after each batch.
import { hash } from 'node:crypto';
import { createDriver } from '../../../src/storage/factory.ts';
import { integrityLayer } from '../../../src/storage/layers/integrity.ts';
import { bytes, never, outcome } from './calls.ts';

const [folder = '', fingerprint = '', maxSize = '40MB', length = '1500000'] = process.argv.slice(2);
const store = createDriver('file', { path: folder, max_size: maxSize, min_free_space: 0 });
const driver = integrityLayer({ fingerprint, onRejected: () => {} })(store);
await driver.open(never);
const value = bytes(Number(length));
for (let batch = 0; ; batch++) {
  const writes = Array.from({ length: 8 }, (_, i) => ({
    key: `${fingerprint}/${hash('sha256', `${process.pid}-${batch}-${i}`)}`,
    parts: [value.subarray(i)],
  }));
  const results = await driver.write(writes, never);
  process.send?.(results.map(outcome));
}
