import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { pagePath } from '../../../src/storage/drivers/file/paths.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { conformance } from '../conformance/conformance.ts';
import { bytes, never, outcome, pageKey, read, write } from '../support/calls.ts';
import { describeWithDirectIo } from '../support/direct-io.ts';
import { refuseToOpen, replaceDescriptorCalls, systemError } from '../support/file-system-faults.ts';
import { bytesIn, filesIn, temporaryFolder } from '../support/folders.ts';
import { LAYERS } from '../support/layers.ts';

const OPTIONS = { max_size: '100MB', min_free_space: 0, direct_io: true };

async function open(folder: string, options: object = {}) {
  const driver = createDriver('file', { path: folder, ...OPTIONS, ...options });
  await driver.open(never);
  return driver;
}

describeWithDirectIo('direct I/O', () => {
  const make = async () => createDriver('file', { path: await temporaryFolder(), ...OPTIONS });
  for (const layer of ['no layer', 'all layers'])
    conformance(`file with direct_io in ${layer}`, async () => LAYERS[layer]!(await make()));

  const MIB = 2 ** 20;
  const LENGTHS = [0, 1, 4095, 4096, 4097, MIB, MIB + 256, 2 * MIB, 2 * MIB + 1, 5 * MIB + 17];

  test.each(LENGTHS)('a file of %i bytes is the same either way, and its owner’s', async (length) => {
    const folder = await temporaryFolder();
    const [direct, ordinary] = [await open(folder), await open(folder, { direct_io: false })];
    const value = bytes(length);
    expect(outcome(await write(direct, 'model/a', value))).toBe('stored');
    expect((await readFile(pagePath(folder, 'model/a'))).equals(value)).toBe(true);
    expect((await stat(pagePath(folder, 'model/a'))).mode & 0o777).toBe(0o600);
    expect((await read(ordinary, 'model/a', length)).value?.equals(value)).toBe(true);
    expect(outcome(await write(ordinary, 'model/b', value))).toBe('stored');
    expect((await read(direct, 'model/b', length)).value?.equals(value)).toBe(true);
    if (length > 0)
      expect((await read(direct, 'model/b', length - 1)).result).toMatchObject({ error: { kind: 'size' } });
    await Promise.all([direct.close(), ordinary.close()]);
  });

  test('opening leaves nothing behind, and the quota holds with whole blocks', async () => {
    const folder = await temporaryFolder();
    const driver = await open(folder, { max_size: 100_000 });
    expect(await filesIn(folder)).toEqual([]);
    for (let i = 0; i < 20; i++) {
      const keys = Array.from({ length: 8 }, (_, k) => `model/${pageKey(8 * i + k)}`);
      const done = driver.write(
        keys.map((key) => ({ key, parts: [bytes(5000)] })),
        never,
      );
      expect(await bytesIn(folder)).toBeLessThanOrEqual(100_000);
      expect((await done).map(outcome)).toEqual(keys.map(() => 'stored'));
      expect(await bytesIn(folder)).toBeLessThanOrEqual(100_000);
    }
    await driver.close();
  });

  test('a write that the disk refuses leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const driver = await open(folder);
    replaceDescriptorCalls(() => ({ write: () => Promise.reject(systemError('ENOSPC')) }));
    expect(outcome(await write(driver, 'model/a', bytes(5000)))).toBe('full');
    expect(await filesIn(folder)).toEqual([]);
    await driver.close();
  });
});

test('a file system that does not take it is refused by the name of the option', async () => {
  const folder = await temporaryFolder();
  refuseToOpen((_, flags) => (typeof flags === 'number' ? systemError('EINVAL') : undefined));
  await expect(open(path.join(folder, 'pages'))).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringContaining("change 'path', or 'direct_io' to false"),
  });
});
