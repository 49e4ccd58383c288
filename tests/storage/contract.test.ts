import { createDriver } from '../../src/storage/factory.ts';
import { conformance } from './conformance/conformance.ts';
import { temporaryFolder } from './support/folders.ts';
import { LAYERS } from './support/layers.ts';

const DRIVERS = {
  memory: () => createDriver('memory', {}),
  file: async () =>
    createDriver('file', { path: await temporaryFolder(), max_size: '100MB', min_free_space: 0 }),
  'file without a metadata cache': async () =>
    createDriver('file', { path: await temporaryFolder(), max_size: '100MB', enable_metadata_cache: false }),
};

for (const [driver, make] of Object.entries(DRIVERS))
  for (const [layer, wrap] of Object.entries(LAYERS))
    conformance(`${driver} in ${layer}`, async () => wrap(await make()));
