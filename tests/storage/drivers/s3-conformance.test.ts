import { afterAll } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { type FakeS3, startFakeS3 } from '../../support/services/fake-s3.ts';
import { conformance } from '../conformance/conformance.ts';
import { LAYERS } from '../support/layers.ts';

const KEY = { access_key_id: 'the-id', secret_access_key: 'the-secret' };

const complete = await startFakeS3();
const poor = await startFakeS3({ conditions: 'refused', batchDeletes: false });
afterAll(async () => {
  for (const fake of [complete, poor]) await fake.stop();
});

let stores = 0;
function s3({ port }: Pick<FakeS3, 'port'>) {
  const endpoint = `http://127.0.0.1:${port}`;
  return createDriver('s3', { bucket: 'pages', endpoint, prefix: `test-${stores++}`, ...KEY });
}

const all = LAYERS['all layers']!;
conformance('s3', () => s3(complete), {
  makeThrough: async (proxy) => s3(await proxy({ host: '127.0.0.1', port: complete.port })),
});
conformance('s3 in all layers', () => all(s3(complete)));
conformance('s3 where conditional writes and removals of many keys are refused', () => s3(poor));
