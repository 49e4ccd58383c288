import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createDriver } from '../../src/storage/factory.ts';
import { integrityLayer } from '../../src/storage/layers/integrity.ts';
import { fillDisk, remount, smallDisk } from '../support/small-disk.ts';
import { bytes, listAll, never, outcome, read, write } from './support/calls.ts';
import { bytesIn, filesIn, temporaryFolder } from './support/folders.ts';
import { FINGERPRINT } from './support/layers.ts';
import { verifyFolder } from './support/verify-folder.ts';

const WRITER = path.join(import.meta.dirname, 'support', 'endless-writer.ts');

test('W4, O5: a writer that is killed in the middle of writes leaves whole pages and nothing that stays', async () => {
  const folder = await temporaryFolder();
  for (let round = 0; round < 5; round++) {
    const child = fork(WRITER, [folder, FINGERPRINT]);
    await once(child, 'message');
    for (let i = 0; i <= round; i++) await once(child, 'message');
    child.kill('SIGKILL');
    await once(child, 'exit');

    const rejected: string[] = [];
    const store = createDriver('file', { path: folder, max_size: '40MB', min_free_space: 0 });
    const driver = integrityLayer({
      fingerprint: FINGERPRINT,
      onRejected: (reason) => rejected.push(reason),
    })(store);
    await driver.open(never);
    await write(driver, `${FINGERPRINT}/after`, bytes(10));
    expect((await filesIn(folder)).filter((file) => file.endsWith('.tmp'))).toEqual([]);
    expect(await bytesIn(folder)).toBeLessThanOrEqual(40e6);
    const keys = await listAll(driver);
    expect(keys.length).toBeGreaterThan(1);
    for (const key of keys) expect((await read(driver, key, 2_000_000)).result.status).toBe('hit');
    expect(rejected).toEqual([]);
    await driver.close();
    const { store: pages, folder: files } = await verifyFolder(folder);
    expect(pages.pages).toBeGreaterThan(0);
    expect(pages).toMatchObject({ removed: 0, failed: [], problem: null });
    expect(files.failed).toEqual([]);
  }
});

test('a disk that is really full, and then read-only, fails writes with their kinds and keeps what is there', async ({
  skip,
}) => {
  const folder = await smallDisk('2m');
  if (folder === undefined) return skip('this process may not mount');
  const driver = createDriver('file', { path: folder, max_size: '1GB', min_free_space: 0 });
  await driver.open(never);
  // Another program fills the disk behind the driver's back, after it looked.
  const values = Array.from({ length: 8 }, (_, i) => ({ key: `model/k${i}`, parts: [bytes(1000, i)] }));
  expect((await driver.write(values, never)).map(outcome)).toEqual(values.map(() => 'stored'));
  await fillDisk(folder);
  expect(outcome(await write(driver, 'model/new', bytes(50_000)))).toBe('full');
  expect((await filesIn(folder)).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  for (const [i, { key }] of values.entries())
    expect((await read(driver, key)).value).toEqual(bytes(1000, i));

  await remount(folder, 'ro');
  expect(outcome((await driver.remove(['model/k0'], never))[0]!)).toBe('denied');
  expect(outcome(await write(driver, 'model/k9', bytes(0)))).toBe('denied');
  expect((await read(driver, 'model/k0')).value).toEqual(bytes(1000, 0));
  await driver.close();
  await expect(createDriver('file', { path: folder }).open(never)).rejects.toMatchObject({
    code: 'storage_failed',
  });
});
