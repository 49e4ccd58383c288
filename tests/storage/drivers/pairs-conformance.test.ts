import type { StorageDriver } from '../../../src/storage/driver.ts';
import { mirrorDriver } from '../../../src/storage/drivers/pairs/mirror.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { failed } from '../../../src/storage/results.ts';
import { conformance } from '../conformance/conformance.ts';
import { temporaryFolder } from '../support/folders.ts';
import { LAYERS } from '../support/layers.ts';

const MEMORY = { backend: 'memory' };
const file = async () => ({
  backend: 'file',
  path: await temporaryFolder(),
  max_size: '100MB',
  min_free_space: 0,
});

function full(store: StorageDriver): StorageDriver {
  return { ...passThrough(store), write: async (writes) => writes.map(() => failed('full', 'no room')) };
}

const MAKERS = {
  'tiered of memory and file': async () => createDriver('tiered', { fast: MEMORY, slow: await file() }),
  'tiered of file and memory': async () => createDriver('tiered', { fast: await file(), slow: MEMORY }),
  'mirror of file and memory': async () => createDriver('mirror', { first: await file(), second: MEMORY }),
  'mirror of memory and a store that is full': async () =>
    mirrorDriver(createDriver('memory', {}), full(createDriver('memory', {}))),
  'tiered with a mirror': async () =>
    createDriver('tiered', { fast: MEMORY, slow: { backend: 'mirror', first: MEMORY, second: MEMORY } }),
};

for (const [name, make] of Object.entries(MAKERS))
  for (const layer of ['no layer', 'all layers'])
    conformance(`${name} in ${layer}`, async () => LAYERS[layer]!(await make()));
