import { createDriver } from '../../../src/storage/factory.ts';
import { conformance } from '../conformance/conformance.ts';
import { temporaryFolder } from '../support/folders.ts';
import { LAYERS } from '../support/layers.ts';

const make = async () => createDriver('lmdb', { path: await temporaryFolder(), max_size: '100MB' });
for (const layer of ['no layer', 'all layers'])
  conformance(`lmdb in ${layer}`, async () => LAYERS[layer]!(await make()));
