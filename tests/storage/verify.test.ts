import { cp, mkdir, readdir, rename, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CLAIMS_FOLDER } from '../../src/storage/drivers/file/claims.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { integrityLayer } from '../../src/storage/layers/integrity.ts';
import { tierkv } from '../support/command.ts';
import { bytes, never, pageKey } from './support/calls.ts';
import { refuseToOpen, replaceFileSystem, systemError } from './support/file-system-faults.ts';
import { claimsIn, filesIn, temporaryFolder } from './support/folders.ts';
import { FINGERPRINT } from './support/layers.ts';
import { verifyFolder } from './support/verify-folder.ts';

const OTHER = 'f'.repeat(64);

/** A folder with good pages of a model; gives their files. */
async function store(
  folder: string,
  namespace: string,
  fingerprint: string,
  count: number,
): Promise<string[]> {
  const driver = integrityLayer({ fingerprint, onRejected: () => {} })(
    createDriver('file', { path: folder }),
  );
  await driver.open(never);
  const keys = Array.from({ length: count }, (_, i) => `${namespace}/${pageKey(i)}`);
  await driver.write(
    keys.map((key, i) => ({ key, parts: [bytes(1000, i)] })),
    never,
  );
  await driver.close();
  return keys.map((key) => {
    const name = key.slice(namespace.length + 1);
    return path.join(folder, namespace, name.slice(0, 2), `${name}.page`);
  });
}

async function messyFolder() {
  const folder = await temporaryFolder();
  const files = await store(folder, FINGERPRINT, FINGERPRINT, 20);
  await store(folder, 'free-name', OTHER, 3);
  const [cut, zeros, first, second, text, alien] = files as [string, string, string, string, string, string];
  await truncate(cut, 700);
  await writeFile(zeros, Buffer.alloc(1256));
  await rename(first, `${folder}/swap`);
  await rename(second, first);
  await rename(`${folder}/swap`, second);
  await writeFile(text, 'hello');
  const [otherModel = ''] = await store(folder, OTHER, FINGERPRINT, 1);
  await rename(otherModel, alien);
  const shard = path.dirname(cut);
  await writeFile(path.join(shard, '.00000000-1-0123456789abcdef.tmp'), bytes(10));
  await writeFile(path.join(shard, '.12345678-1-0123456789abcdef.tmp'), bytes(10));
  const { utimes } = await import('node:fs/promises');
  await utimes(path.join(shard, '.00000000-1-0123456789abcdef.tmp'), 1, 1);
  const claims = path.join(folder, FINGERPRINT, CLAIMS_FOLDER);
  for (const name of ['.00000000-1-0123456789abcdef.99.new', '.12345678-1-0123456789abcdef.99.seen', 'notes'])
    await writeFile(path.join(claims, name), '');
  await utimes(path.join(claims, '.00000000-1-0123456789abcdef.99.new'), 1, 1);
  await writeFile(path.join(folder, 'notes.txt'), 'mine');
  await writeFile(path.join(shard, 'notes.page'), 'mine');
  await mkdir(path.join(folder, 'empty-folder-of-others'));
  return folder;
}

test('W4: every damaged page is found and removed, what is good or foreign stays, and a second run is clean', async () => {
  const folder = await messyFolder();
  const { store: pages, folder: files } = await verifyFolder(folder);
  expect(pages).toMatchObject({
    pages: 20,
    goodBytes: 14 * 1256,
    removed: 6,
    reasons: { length: 2, magic: 1, key: 3 },
    others: 3,
    failed: [],
    problem: null,
  });
  expect(files).toMatchObject({
    temporaryFilesDead: 2,
    temporaryFilesRemoved: 2,
    temporaryFilesInUse: 2,
    foreignFiles: 3,
    failed: [],
  });
  expect(files.emptyFoldersRemoved).toBeGreaterThan(1);
  const left = await filesIn(folder);
  expect(left.filter((file) => file.endsWith('.page') && !file.endsWith('notes.page'))).toHaveLength(17);
  expect(left).toContain('notes.txt');
  expect((await claimsIn(folder)).map((file) => path.basename(file))).toEqual([
    '.12345678-1-0123456789abcdef.99.seen',
    'notes',
  ]);
  expect(await readdir(folder)).toContain('empty-folder-of-others');
  expect(await readdir(folder)).not.toContain(OTHER);
  const again = await verifyFolder(folder);
  expect(again.store).toMatchObject({ pages: 14, removed: 0, failed: [] });
  expect(again.folder).toMatchObject({ emptyFoldersRemoved: 0, failed: [] });
});

test('a page of another model in a namespace that is named by a fingerprint is removed', async () => {
  const folder = await temporaryFolder();
  await store(folder, OTHER, FINGERPRINT, 1);
  expect((await verifyFolder(folder)).store).toMatchObject({ removed: 1, reasons: { fingerprint: 1 } });
});

test('what cannot be read or removed is told, and the rest is done', async () => {
  const folder = await temporaryFolder();
  const files = await store(folder, FINGERPRINT, FINGERPRINT, 5);
  await truncate(files[0]!, 300);
  await truncate(files[1]!, 300);
  refuseToOpen((file) => (file === files[2] ? systemError('EIO') : undefined));
  replaceFileSystem((fs) => ({
    unlink: async (file) => {
      if (file === files[0]) throw systemError('EPERM');
      await fs.unlink(file);
    },
  }));
  const { store: report } = await verifyFolder(folder);
  expect(report.removed).toBe(1);
  const nameOf = (file: string) => path.basename(file, '.page');
  expect(report.failed.map(({ key }) => key.slice(FINGERPRINT.length + 1)).sort()).toEqual(
    [nameOf(files[0]!), nameOf(files[2]!)].sort(),
  );
  expect(report.failedPages).toBe(2);
});

test('`tierkv storage verify` repairs a folder and says what it did, for people and for programs', async () => {
  const folder = await messyFolder();
  const copy = path.join(await temporaryFolder(), 'copy');
  await cp(folder, copy, { recursive: true, preserveTimestamps: true });
  const plain = await tierkv(['storage', 'verify', '--path', folder]);
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout).toContain('good pages 14');
  expect(plain.stdout).toContain('removed: damaged pages 6 (');
  const json = await tierkv(['storage', 'verify', '--json'], {
    SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR: copy,
  });
  expect(json).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(json.stdout)).toMatchObject({ folder: { folder: copy }, pages: 20, removed: 6 });
});

test('`tierkv storage verify` fails in one line for a folder that is not there', async () => {
  const missing = await tierkv(['storage', 'verify', '--path', '/nosuch/folder']);
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toMatch(/^tierkv: Storage backend 'file': ENOENT.*\n$/);
});
