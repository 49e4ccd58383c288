import { createDriver } from '../../src/storage/factory.ts';
import { conformance } from './conformance/conformance.ts';
import { temporaryFolder } from './support/folders.ts';
import { LAYERS } from './support/layers.ts';

const file = async (options: object = {}) =>
  createDriver('file', { path: await temporaryFolder(), max_size: '100MB', min_free_space: 0, ...options });

for (const [layer, wrap] of Object.entries(LAYERS)) {
  conformance(`memory in ${layer}`, () => wrap(createDriver('memory', {})));
  conformance(`file in ${layer}`, async () => wrap(await file()));
}
conformance('file without a metadata cache', () => file({ enable_metadata_cache: false }));
