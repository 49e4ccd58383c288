import { afterAll } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { startFakeS3 } from '../../support/services/fake-s3.ts';
import { conformance } from '../conformance/conformance.ts';
import { LAYERS } from '../support/layers.ts';

const KEY = { access_key_id: 'the-id', secret_access_key: 'the-secret' };

const FAKES = {
  'a store with conditional writes': await startFakeS3(),
  'a store that refuses conditional writes, and to delete many at once': await startFakeS3({
    conditions: 'refused',
    batchDeletes: false,
  }),
  'a store that ignores conditions': await startFakeS3({ conditions: 'ignored' }),
};
afterAll(async () => {
  for (const fake of Object.values(FAKES)) await fake.stop();
});

let stores = 0;
for (const [name, { endpoint }] of Object.entries(FAKES))
  for (const layer of ['no layer', 'all layers'])
    conformance(`s3 on ${name} in ${layer}`, () =>
      LAYERS[layer]!(createDriver('s3', { bucket: 'pages', endpoint, prefix: `test-${stores++}`, ...KEY })),
    );
