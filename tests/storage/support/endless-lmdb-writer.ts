// A process that writes values until it is killed. Arguments: folder, quota, bytes of a value. Sends what became of
// every value after each batch.
import { createDriver } from '../../../src/storage/factory.ts';
import { bytes, never, outcome } from './calls.ts';

const [folder = '', maxSize = '16MiB', length = '200000'] = process.argv.slice(2);
// The parent has ended.
process.on('disconnect', () => process.exit());
const driver = createDriver('lmdb', { path: folder, max_size: maxSize });
await driver.open(never);
const value = bytes(Number(length));
for (let batch = 0; ; batch++) {
  const writes = Array.from({ length: 8 }, (_, i) => ({
    key: `model/${process.pid}-${batch}-${i}`,
    parts: [value],
  }));
  const results = await driver.write(writes, never);
  process.send?.(results.map(outcome));
}
