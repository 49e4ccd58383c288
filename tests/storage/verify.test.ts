import { cp, mkdir, readdir, rename, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CLAIMS_FOLDER } from '../../src/storage/drivers/file/claims.ts';
import { verifyPages } from '../../src/storage/drivers/file/verify.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { integrityLayer } from '../../src/storage/layers/integrity.ts';
import { tierkv } from '../support/command.ts';
import { bytes, never, pageKey } from './support/calls.ts';
import { refuseToOpen, replaceFileSystem, systemError } from './support/file-system-faults.ts';
import { claimsIn, filesIn, temporaryFolder } from './support/folders.ts';
import { FINGERPRINT } from './support/layers.ts';

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
  const fractions: number[] = [];
  const report = await verifyPages(folder, (fraction) => fractions.push(fraction));
  expect(report).toMatchObject({
    pages: 23,
    goodBytes: 17 * 1256,
    removed: 6,
    reasons: { length: 2, magic: 1, key: 3 },
    temporaryFilesRemoved: 2,
    temporaryFilesInUse: 2,
    foreignFiles: 3,
    failed: [],
  });
  expect(report.emptyFoldersRemoved).toBeGreaterThan(1);
  expect(report.steps.map(({ name, count }) => [name, count])).toEqual([
    ['find files', 30],
    ['check pages', 23],
    ['remove damaged pages', 6],
    ['remove temporary files', 2],
    ['remove empty folders', report.emptyFoldersRemoved],
  ]);
  expect(fractions.at(-1)).toBe(1);
  const left = await filesIn(folder);
  expect(left.filter((file) => file.endsWith('.page') && !file.endsWith('notes.page'))).toHaveLength(17);
  expect(left).toContain('notes.txt');
  expect((await claimsIn(folder)).map((file) => path.basename(file))).toEqual([
    '.12345678-1-0123456789abcdef.99.seen',
    'notes',
  ]);
  expect(await readdir(folder)).toContain('empty-folder-of-others');
  expect(await readdir(folder)).not.toContain(OTHER);
  expect(await verifyPages(folder)).toMatchObject({
    pages: 17,
    removed: 0,
    emptyFoldersRemoved: 0,
    failed: [],
  });
});

test('a page of another model in a namespace that is named by a fingerprint is removed', async () => {
  const folder = await temporaryFolder();
  await store(folder, OTHER, FINGERPRINT, 1);
  expect(await verifyPages(folder)).toMatchObject({ removed: 1, reasons: { fingerprint: 1 } });
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
  const report = await verifyPages(folder);
  expect(report.removed).toBe(1);
  expect(report.failed.map((problem) => problem.path).sort()).toEqual([files[0], files[2]].sort());
});

test('`tierkv storage verify` repairs a folder and says what it did, for people and for programs', async () => {
  const folder = await messyFolder();
  const copy = path.join(await temporaryFolder(), 'copy');
  await cp(folder, copy, { recursive: true, preserveTimestamps: true });
  const plain = await tierkv(['storage', 'verify', '--path', folder]);
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout).toContain('good pages 17');
  expect(plain.stdout).toContain('removed: damaged pages 6 (');
  const json = await tierkv(['storage', 'verify', '--json'], {
    SGLANG_HICACHE_FILE_BACKEND_STORAGE_DIR: copy,
  });
  expect(json).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(json.stdout)).toMatchObject({ folder: copy, pages: 23, removed: 6 });
});

test('`tierkv storage verify` fails in one line for a folder that is not there', async () => {
  const missing = await tierkv(['storage', 'verify', '--path', '/nosuch/folder']);
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toMatch(/^tierkv: Storage backend 'file': ENOENT.*\n$/);
});
