import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { conformance } from '../conformance/conformance.ts';
import { temporaryFolder } from '../support/folders.ts';
import { LAYERS } from '../support/layers.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const SUPPORT = path.join(ROOT, 'tests/storage/support/plugins');

async function sqlite(): Promise<StorageDriver> {
  const folder = await temporaryFolder();
  await copyFile(path.join(ROOT, 'examples/storage-plugin/sqlite-pages.mjs'), path.join(folder, 'pages.mjs'));
  const config = { module_path: 'pages.mjs', class_name: 'SqlitePages', path: path.join(folder, 'pages.db') };
  return createDriver('dynamic', config, { dynamicFolder: folder });
}

/** Stores in SGLang's shape cannot list, which is only known when they are open. */
function sglang(name: string): StorageDriver {
  const config = { module_path: 'key-value.mjs', class_name: name };
  const { list: _list, ...driver } = passThrough(createDriver('dynamic', config, { dynamicFolder: SUPPORT }));
  const { batch, largestValue } = driver.capabilities;
  return { ...driver, capabilities: Object.freeze({ batch, largestValue, list: false }) };
}

const allLayers = LAYERS['all layers']!;

conformance('a driver in a plugin', sqlite);
conformance('a driver in a plugin, in all layers,', async () => allLayers(await sqlite()));
conformance("a store in SGLang's shape in a plugin", () => sglang('Whole'));
conformance("the smallest store in SGLang's shape in a plugin, in all layers,", () =>
  allLayers(sglang('Smallest')),
);
