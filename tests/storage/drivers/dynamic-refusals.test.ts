/** Plugins that are not loaded, and what is said of them. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { never } from '../support/calls.ts';
import { temporaryFolder } from '../support/folders.ts';
import { driverOf, driverSource, sglangSource } from '../support/plugin.ts';

const GOOD = driverSource('');
let folder: string;
let elsewhere: string;
beforeAll(async () => {
  [folder, elsewhere] = [await temporaryFolder(), await temporaryFolder()];
  await mkdir(path.join(folder, 'inner'));
  await mkdir(path.join(folder, 'a-folder.mjs'));
  for (const file of ['plugin.mjs', 'inner/plugin.js', 'plugin.ts'])
    await writeFile(path.join(folder, file), GOOD);
  await writeFile(path.join(elsewhere, 'plugin.mjs'), GOOD);
  await symlink(path.join(elsewhere, 'plugin.mjs'), path.join(folder, 'link-out.mjs'));
  await symlink(elsewhere, path.join(folder, 'folder-out'));
  await symlink('inner/plugin.js', path.join(folder, 'link-in.mjs'));
  await symlink('nothing.mjs', path.join(folder, 'broken.mjs'));
});

async function open(config: object, dynamicFolder: string | undefined = folder): Promise<void> {
  const driver = createDriver('dynamic', config, { dynamicFolder });
  try {
    await driver.open(never);
  } finally {
    await driver.close();
  }
}

describe('where a module may lie', () => {
  test('without the flag nothing is loaded, and the refusal names the flag', () => {
    const config = { module_path: 'plugin.mjs', class_name: 'Driver' };
    expect(() => createDriver('dynamic', config)).toThrow(
      expect.objectContaining({
        code: 'storage_config',
        message: expect.stringMatching(/'module_path' is refused: .* --hicache-dynamic-backend-dir/),
      }),
    );
  });

  test.each([
    'plugin.mjs',
    './plugin.mjs',
    'inner/plugin.js',
    'inner/../plugin.mjs',
    'link-in.mjs',
    'plugin.ts',
  ])('%s is loaded', (module_path) => open({ module_path, class_name: 'Driver' }));

  test('an absolute path below the folder is loaded', () =>
    open({ module_path: path.join(folder, 'plugin.mjs'), class_name: 'Driver' }));

  test('a folder that is itself behind a link is good', async () => {
    const link = path.join(await temporaryFolder(), 'plugins');
    await symlink(folder, link);
    await open({ module_path: 'plugin.mjs', class_name: 'Driver' }, link);
  });

  test.each<[string, RegExp]>([
    ['../plugin.mjs', /must lie below the folder/],
    ['inner/../../x/plugin.mjs', /must lie below the folder/],
    ['/etc/plugin.mjs', /must lie below the folder/],
    ['link-out.mjs', /must lie below the folder .* also when links are followed/],
    ['folder-out/plugin.mjs', /must lie below the folder .* also when links are followed/],
    ['data:text/javascript,export class Driver {}', /must be a path of a file, not a URL/],
    ['http://127.0.0.1/plugin.mjs', /not a URL/],
    ['file:///etc/plugin.mjs', /not a URL/],
    ['node:fs', /not a URL/],
    ['plugin.mjs\0.mjs', /not a URL/],
    ['plugin.cjs', /must be an ES module, which ends in \.js, \.mjs/],
    ['plugin.json', /must be an ES module/],
    ['plugin', /must be an ES module/],
    ['.', /must be an ES module/],
    ['a-folder.mjs', /names no file/],
    ['missing.mjs', /names no file that can be read/],
    ['broken.mjs', /names no file that can be read/],
    ['plugin.mjs/plugin.mjs', /names no file that can be read/],
  ])('%j is refused', async (module_path, reason) => {
    const config = { module_path, class_name: 'Driver' };
    const message = expect.stringMatching(new RegExp(`'module_path'.*${reason.source}`));
    await expect(open(config)).rejects.toMatchObject({ message });
  });

  test.each<[object, RegExp]>([
    [{ class_name: 'Driver' }, /'module_path' is required/],
    [{ module_path: 'plugin.mjs' }, /'class_name' is required, or 'export' is/],
    [{ module_path: 'plugin.mjs', class_name: 'A', export: 'b' }, /'class_name' cannot be there together/],
    [{ module_path: 'plugin.mjs', class_name: 7 }, /'class_name' must be string/],
  ])('%j is refused', (config, reason) => {
    expect(() => createDriver('dynamic', config, { dynamicFolder: folder })).toThrow(reason);
  });
});

describe('what a module may export', () => {
  test.each<[string, string, object, RegExp]>([
    ['an import that throws', 'throw new Error("no luck")', {}, /'module_path' could not be loaded: no luck/],
    ['what is no JavaScript', 'export class {', {}, /'module_path' could not be loaded: /],
    ['an import of what is not there', 'import "nosuch"', {}, /'module_path' could not be loaded: .*nosuch/],
    [
      'another export',
      'export class Other {}',
      {},
      /'class_name' is not a class that it exports, which are: Other/,
    ],
    ['no export', '', {}, /which are: nothing/],
    ['no class', 'export const Driver = 3', {}, /'class_name' is not a class/],
    [
      'what cannot be made',
      'export const Driver = () => {}',
      {},
      /'class_name' could not be made: .*constructor/,
    ],
    [
      'a constructor that throws',
      'export class Driver { constructor() { throw 7 } }',
      {},
      /'class_name' could not be made: 7/,
    ],
    [
      'nothing that a store has',
      'export class Driver {}',
      {},
      /it is no storage driver .*, and no store in SGLang's shape/,
    ],
    [
      'a part of a driver',
      'export class Driver { has() {} read() {} }',
      {},
      /has no method open, close, write, remove/,
    ],
    ['a part of a store', 'export class Driver { get() {} }', {}, /has no method set, exists/],
    [
      'no capabilities',
      driverSource('capabilities = undefined'),
      {},
      /capabilities must be \{ batch: number/,
    ],
    [
      'a batch of none',
      driverSource('capabilities = { batch: 0, largestValue: 1, list: false }'),
      {},
      /capabilities must be/,
    ],
    [
      'a list that is not there',
      driverSource('capabilities = { batch: 1, largestValue: 1, list: true }'),
      {},
      /has no method list/,
    ],
    [
      'a driver that does not open',
      driverSource('open() { throw new Error("no disk") }'),
      {},
      /open\(\) threw: no disk/,
    ],
    ['an end of its process', 'process.exit(3)', {}, /it ended by itself with status 3/],
    [
      'a rejection of nobody',
      'Promise.reject(new Error("lost")); await new Promise((r) => setTimeout(r, 60_000))',
      {},
      /it failed: lost/,
    ],
    [
      'a factory that returns nothing',
      'export const make = () => {}',
      { export: 'make' },
      /what was made is no object/,
    ],
    [
      'a factory that rejects',
      'export async function make() { throw new Error("late") }',
      { export: 'make' },
      /'export' could not be made: late/,
    ],
  ])('%s is refused', async (_, source, config, reason) => {
    const names = 'export' in config ? config : { class_name: 'Driver' };
    const driver = await driverOf(source, { ...names, backend_name: 'mine' });
    const problem = { code: 'storage_failed', message: expect.stringMatching(reason) };
    await expect(driver.open(never)).rejects.toMatchObject(problem);
    await driver.close();
  });

  test.each([
    ['that waits for ever', 'await new Promise((r) => setTimeout(r, 1e9))'],
    ['that never returns', 'for (;;);'],
  ])('an import %s ends when the signal aborts', async (_, source) => {
    const driver = await driverOf(source, { class_name: 'Driver' });
    const signal = new AbortController();
    const opening = driver.open(signal.signal);
    setImmediate(() => signal.abort());
    await expect(opening).rejects.toMatchObject({ code: 'storage_failed' });
    await driver.close();
  });

  test('an import that never returns ends when it is closed', async () => {
    const driver = await driverOf('for (;;);', { class_name: 'Driver' });
    const opening = driver.open(never);
    setImmediate(() => void driver.close());
    await expect(opening).rejects.toMatchObject({ code: 'storage_failed' });
  });

  test('a plugin gets all other options, from a class and from a factory', async () => {
    const source = `${sglangSource('')}
      export class Asking extends Store { constructor(options) { super(); this.set('a', Buffer.from(JSON.stringify(options))); } }
      export const make = async (options) => new Asking(options);`;
    for (const names of [{ class_name: 'Asking' }, { export: 'make' }]) {
      const own = { host: 'there', nested: { deep: [1, 2] } };
      const driver = await driverOf(source, { ...names, ...own, backend_name: 'mine' });
      await driver.open(never);
      const into = Buffer.alloc(200);
      const [result] = await driver.read([{ key: 'a', into: [into] }], never);
      expect(result?.status).toBe('hit');
      expect(JSON.parse(into.toString().replaceAll('\0', ''))).toEqual(own);
      await driver.close();
    }
  });
});
