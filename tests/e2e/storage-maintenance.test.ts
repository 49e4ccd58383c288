import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDriver } from '../../src/storage/factory.ts';
import { encodeHeader } from '../../src/storage/layers/page-header.ts';
import { damaged, MODELS, page, pagesOf, type Value } from '../storage/maintenance/pages.ts';
import { never } from '../storage/support/calls.ts';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { complaintOf, type Ended, tierkv } from '../support/command.ts';
import { cleanEnvironment, MAIN, NODE } from '../support/server.ts';

const [A, B, C] = MODELS;

function config(folder: string): string {
  return JSON.stringify({ path: folder, max_size: '1GB', min_free_space: 0 });
}

async function folderWith(...values: Value[]): Promise<string> {
  const folder = await temporaryFolder();
  const driver = createDriver('file', JSON.parse(config(folder)));
  await driver.open(never);
  const writes = values.map(({ key, value }) => ({ key, parts: [value] }));
  for (let i = 0; i < writes.length; i += 128) await driver.write(writes.slice(i, i + 128), never);
  await driver.close();
  return folder;
}

/** The same key with a page of zeros. */
function compressible({ key }: Value): Value {
  const payload = Buffer.alloc(100_000);
  const header = encodeHeader({ key, fingerprint: key.slice(0, 64), payloadBytes: payload.length }, [
    payload,
  ]);
  return { key, value: Buffer.concat([header, payload]) };
}

/** The pages in a folder, as their files hold them. */
async function pagesIn(folder: string): Promise<Map<string, string>> {
  const files = (await filesIn(folder)).filter((file) => file.endsWith('.page'));
  const read = files.map(async (file) => [file, await readFile(path.join(folder, file), 'base64')] as const);
  return new Map(await Promise.all(read));
}

/** What a command that must succeed prints. */
async function output(...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await tierkv(['storage', ...flags]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function json(...flags: string[]): Promise<unknown> {
  return JSON.parse(await output(...flags, '--json'));
}

async function complaint(...flags: string[]): Promise<string> {
  const ended = await tierkv(['storage', ...flags]);
  expect(ended.stdout).toBe('');
  return complaintOf(ended);
}

const cells = (table: string) =>
  table.split('\n').flatMap((line) =>
    line.startsWith('│')
      ? [
          line
            .slice(1, -1)
            .split('│')
            .map((cell) => cell.trim()),
        ]
      : [],
  );

describe('tierkv storage stat', () => {
  it('shows the pages of every model, for people and for programs', async () => {
    const folder = await folderWith(...pagesOf(B, 3), ...pagesOf(A, 20, 1e6), {
      key: 'notes',
      value: Buffer.alloc(9),
    });
    const shown = await output('stat', 'file', '--extra-config', config(folder));
    expect(cells(shown)).toEqual([
      ['model', 'pages', 'size'],
      [A, '20', '20.0 MB'],
      [B, '3', '0.0 MB'],
      ['all', '23', '20.0 MB'],
    ]);
    expect(shown).toContain('\nvalues that are no pages: 1\n');
    expect(await json('stat', 'file', '--extra-config', config(folder))).toEqual({
      backend: 'file',
      models: [
        { model: A, pages: 20, bytes: 20 * 1_000_256 },
        { model: B, pages: 3, bytes: 3 * 756 },
      ],
      pages: 23,
      bytes: 20 * 1_000_256 + 3 * 756,
      others: 1,
      usage: null,
      failed: [],
      problem: null,
    });
  });
});

describe('tierkv storage verify', () => {
  it('takes a backend and its options, and may leave what it finds', async () => {
    const folder = await folderWith(...pagesOf(A, 20), damaged(page(A, 30)), damaged(page(A, 31), 0));
    const file = path.join(await temporaryFolder(), 'storage.yaml');
    await writeFile(file, `path: ${folder}\nprefetch_threshold: 8\n`);
    const kept = await output('verify', 'file', '--extra-config', `@${file}`, '--keep');
    expect(kept).toContain(`${folder}: good pages 20, 0.0 MB, in `);
    expect(kept).toMatch(/\nfound: damaged pages 2 \((checksum 1, magic 1|magic 1, checksum 1)\), /);
    expect(await filesIn(folder)).toHaveLength(22);
    const report = await json('verify', '--path', folder, '--extra-config', `@${file}`);
    expect(report).toMatchObject({ backend: 'file', pages: 22, removed: 2, problem: null });
    expect(await filesIn(folder)).toHaveLength(20);
  });

  it('removes nothing when no page is one by the configuration, and fails', async () => {
    const values = pagesOf(A, 5).map(({ key }) => ({ key, value: Buffer.alloc(1000, 7) }));
    const folder = await folderWith(...values);
    const { code, stdout } = await tierkv(['storage', 'verify', '--path', folder]);
    expect(code).toBe(1);
    expect(stdout).toContain('removed: damaged pages 0 (magic 5)');
    expect(stdout).toContain(`not finished: not one page of model ${A} is a page by this configuration`);
    expect(await filesIn(folder)).toHaveLength(5);
  });

  it('of one model leaves what is damaged of others', async () => {
    const folder = await folderWith(
      ...pagesOf(A, 3),
      damaged(page(A, 9)),
      ...pagesOf(B, 3),
      damaged(page(B, 9)),
    );
    const report = await json('verify', '--path', folder, '--model', B);
    expect(report).toMatchObject({ pages: 4, removed: 1, problem: null });
    expect(await filesIn(folder)).toHaveLength(7);
    expect(await complaint('verify', '--path', folder, '--model', 'b')).toContain('64 hexadecimal digits');
  });

  it('has a folder for the file backend alone', async () => {
    expect(await complaint('verify', 'memory', '--path', '/tmp')).toContain(
      '--path is the folder of the file backend',
    );
  });
});

describe('tierkv storage clear, with a backend', () => {
  it('removes pages of one model, or of all, and nothing else', async () => {
    const notes = { key: `${A}/notes`, value: Buffer.alloc(9) };
    const folder = await folderWith(...pagesOf(A, 150), ...pagesOf(B, 10), ...pagesOf(C, 5), notes);
    const clear = ['clear', 'file', '--extra-config', config(folder), '--yes'];
    expect(await output(...clear, '--model', A)).toBe(`removed pages of model ${A}: 150\n`);
    expect(await json(...clear, '--model', B)).toEqual({
      backend: 'file',
      model: B,
      removed: 10,
      failed: 0,
      problem: null,
    });
    expect(await output(...clear, '--scope', 'all')).toBe('removed pages of every model: 5\n');
    expect(await filesIn(folder)).toEqual([path.join(A, 'no', 'notes.page')]);
  });

  it.each([
    [['clear', 'file', '--scope', 'all'], 'without a question only with --yes'],
    [['clear', 'file', '--yes'], 'say which pages of it: --scope all, or --model'],
    [['clear', 'file', '--yes', '--scope', 'all', '--model', A], 'exclude each other'],
    [['clear', 'file', '--yes', '--model', 'llama'], 'must be a fingerprint'],
    [['clear', 'file', '--yes', '--scope', 'all', '--url', 'http://127.0.0.1:1'], '--url is of a server'],
    [['clear', '--yes'], '--yes needs a backend'],
    [['clear', '--model', A], '--model needs a backend'],
    [['clear', 'nosuch', '--yes', '--scope', 'all'], "no storage backend 'nosuch'"],
  ])('is not confused with that of a server: %j', async (flags, problem) => {
    expect(await complaint(...flags)).toContain(problem);
  });
});

/** A command that runs, and its end. */
function start(...flags: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(NODE, [MAIN, 'storage', ...flags], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code ?? -1, stdout, stderr }),
  );
  return { child, ended };
}

describe('tierkv storage migrate', () => {
  const bothOf = (from: string, to: string) => [
    'migrate',
    'file',
    'file',
    '--from-config',
    config(from),
    '--to-config',
    config(to),
  ];

  it('copies the good pages, tells what it did, and has nothing to do when it runs again', async () => {
    const [good, rotten] = [
      [...pagesOf(A, 300), ...pagesOf(B, 20)],
      [damaged(page(A, 1000)), damaged(page(A, 1001))],
    ];
    const [from, to] = [await folderWith(...good, ...rotten), await temporaryFolder()];
    const shown = await output(...bothOf(from, to), '--verify');
    expect(cells(shown)).toEqual([
      ['pages', 'count', 'detail'],
      ['copied', '320', expect.stringMatching(/^0\.2 MB in .* MB\/s$/)],
      ['already there', '0', ''],
      ['damaged, left behind', '2', 'checksum 2'],
      ['gone meanwhile', '0', ''],
      ['failed', '0', ''],
    ]);
    expect(shown).toContain('in use in the target, as it says: 0.2 MB of 1.00 GB\n');
    expect(await pagesIn(to)).toEqual(await pagesIn(await folderWith(...good)));
    expect(await filesIn(from)).toHaveLength(322);
    expect(await json(...bothOf(from, to), '--model', A)).toMatchObject({
      from: 'file',
      to: 'file',
      copied: 0,
      alreadyThere: 300,
      damaged: 2,
      problem: null,
    });
  });

  it('killed in the middle and run again, it goes on to the end', async () => {
    const good = pagesOf(A, 200, 100_000);
    const [from, to] = [await folderWith(...good), await temporaryFolder()];
    const { child, ended } = start(...bothOf(from, to), '--rate', '500KB');
    await expect.poll(async () => (await pagesIn(to)).size, { timeout: 30_000 }).toBeGreaterThan(5);
    child.kill('SIGKILL');
    await ended;
    const there = (await pagesIn(to)).size;
    expect(there).toBeLessThan(200);
    expect(await json(...bothOf(from, to))).toMatchObject({
      copied: 200 - there,
      alreadyThere: there,
      failedPages: 0,
      problem: null,
    });
    expect(await pagesIn(to)).toEqual(await pagesIn(from));
  });

  it('ends at Ctrl-C with what it has done', async () => {
    const [from, to] = [await folderWith(...pagesOf(A, 200, 100_000)), await temporaryFolder()];
    const { child, ended } = start(...bothOf(from, to), '--rate', '500KB');
    await expect.poll(async () => (await pagesIn(to)).size, { timeout: 30_000 }).toBeGreaterThan(5);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(stdout).toContain('not finished: it was interrupted\n');
    const copied = Number(cells(stdout).find(([what]) => what === 'copied')?.[1]);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(200);
    // What was being written may be there too.
    const there = (await pagesIn(to)).size;
    expect(there).toBeGreaterThanOrEqual(copied);
    expect(there).toBeLessThanOrEqual(copied + 16);
  });

  it.each([
    [['file', 'file'], 'both stores are the same one'],
    [['file', 'memory', '--rate', 'fast'], 'such as 50MB'],
    [['file', 'memory', '--model', 'llama'], 'fingerprint'],
    [['file', 'memory', '--from-config', '{"pathh": 1}'], "'pathh' is not known"],
  ])('is refused where it makes no sense: %j', async (flags, problem) => {
    expect(await complaint('migrate', ...flags)).toContain(problem);
  });
});

describe('pages that are compressed and encrypted', () => {
  const KEYS = { KEY_ONE: '1'.repeat(64), KEY_TWO: '2'.repeat(64) };
  const sealed = (folder: string, key: keyof typeof KEYS) =>
    JSON.stringify({ ...JSON.parse(config(folder)), compress: true, encrypt: { key: { env: key } } });
  const storage = (...flags: string[]) => tierkv(['storage', ...flags], KEYS);

  it('are what is migrated, checked with their key, and left alone without it', async () => {
    const plain = await folderWith(...pagesOf(A, 40, 20_000), ...pagesOf(B, 3).map(compressible));
    const folder = await temporaryFolder();
    const there = await storage(
      ...['migrate', 'file', 'file', '--from-config', config(plain)],
      ...['--to-config', sealed(folder, 'KEY_ONE'), '--verify', '--json'],
    );
    expect(JSON.parse(there.stdout)).toMatchObject({ copied: 43, failedPages: 0, problem: null });
    for (const content of (await pagesIn(folder)).values())
      expect(Buffer.from(content, 'base64').includes('TKVP')).toBe(false);

    const [victim = ''] = await filesIn(folder);
    const value = await readFile(path.join(folder, victim));
    value[200] = (value[200] ?? 0) ^ 1;
    await writeFile(path.join(folder, victim), value);
    const wrong = ['verify', 'file', '--json', '--extra-config'];
    const unknown = await storage(...wrong, sealed(folder, 'KEY_TWO'));
    expect(unknown.code).toBe(1);
    expect(JSON.parse(unknown.stdout)).toMatchObject({ pages: 0, removed: 0, failedPages: 43 });
    const bare = await storage(...wrong, config(folder));
    expect(bare.code).toBe(1);
    expect(JSON.parse(bare.stdout)).toMatchObject({
      removed: 0,
      problem: expect.stringContaining('configuration'),
    });
    const right = await storage(...wrong, sealed(folder, 'KEY_ONE'));
    expect(right.code).toBe(0);
    expect(JSON.parse(right.stdout)).toMatchObject({
      pages: 43,
      removed: 1,
      reasons: { corrupt: 1 },
      problem: null,
    });

    const shown = await storage('stat', 'file', '--json', '--extra-config', sealed(folder, 'KEY_ONE'));
    const { bytes } = JSON.parse(shown.stdout);
    expect(bytes).toBe(
      [...(await pagesIn(folder)).values()].reduce((sum, one) => sum + Buffer.from(one, 'base64').length, 0),
    );

    const back = await temporaryFolder();
    const home = await storage(
      ...['migrate', 'file', 'file', '--from-config', sealed(folder, 'KEY_ONE')],
      ...['--to-config', config(back), '--json'],
    );
    expect(JSON.parse(home.stdout)).toMatchObject({ copied: 42, damaged: 0, failedPages: 0 });
    const original = await pagesIn(plain);
    original.delete(victim);
    expect(await pagesIn(back)).toEqual(original);
    for (const { stdout, stderr } of [there, unknown, right, home])
      for (const secret of Object.values(KEYS)) expect(stdout + stderr).not.toContain(secret);
  });
});

describe('what came from the environment', () => {
  it.each(['stat', 'verify'])('is resolved, and is in no output: %s', async (command) => {
    const folder = await folderWith(...pagesOf(A, 3));
    const given = ['--extra-config', '{"path": {"env": "PAGES_OF_MINE"}}'];
    const good = await tierkv(['storage', command, 'file', ...given], { PAGES_OF_MINE: folder });
    expect(good.code).toBe(0);
    expect(good.stdout).toContain('3');
    expect(good.stdout + good.stderr).not.toContain(folder);
    const none = await tierkv(['storage', command, 'file', ...given], {
      PAGES_OF_MINE: '/proc/nosuch-folder',
    });
    const complaint = complaintOf(none);
    expect(complaint).toContain('***');
    expect(complaint.match(/Storage backend/g)).toHaveLength(1);
    expect(none.stdout + none.stderr).not.toContain('nosuch-folder');
  });
});
