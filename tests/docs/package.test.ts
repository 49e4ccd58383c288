import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);
let folder: string;

/** The package as a user gets it: packed here, installed in an empty folder. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-package-'));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root });
  const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await run('npm', ['init', '--yes'], { cwd: folder });
  await run('npm', ['install', '--no-audit', '--no-fund', path.join(folder, archive)], { cwd: folder });
}, 240_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test('the installed package knows its version', async () => {
  const { stdout } = await run('npx', ['tierkv', '--version'], { cwd: folder });
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});

test('the installed package serves', async () => {
  const bin = path.join(folder, 'node_modules/.bin/tierkv');
  const server = spawn(process.execPath, [bin, '--port', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  try {
    const url = await new Promise<string>((resolve) =>
      createInterface({ input: server.stdout }).once('line', resolve),
    );
    const body = JSON.stringify({ prompt: 'Hello', max_tokens: 3 });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body });
    expect(await answer.json()).toMatchObject({ model: 'tierkv-demo' });
  } finally {
    server.kill('SIGTERM');
    await gone;
  }
});

test('the installed package can be used from a program', async () => {
  const program = "import { startServer } from 'tierkv'; console.log(typeof startServer);";
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: folder });
  expect(stdout.trim()).toBe('function');
});

describe('somebody else tests a driver with the installed package, as docs/storage-suite.md shows:', () => {
  let suite: string;
  let driver: string;
  beforeAll(async () => {
    suite = path.join(folder, 'suite');
    await mkdir(suite);
    const page = await readFile(path.join(root, 'docs/storage-suite.md'), 'utf8');
    const blocks = [...page.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
    const [first = '', tests = '', check = ''] = blocks;
    driver = first;
    await writeFile(path.join(suite, 'package.json'), JSON.stringify({ type: 'module' }));
    await writeFile(path.join(suite, 'map-driver.test.js'), tests);
    await writeFile(path.join(suite, 'check.js'), check);
  });

  function node(...args: string[]) {
    // What vitest says to its own children is not for this one: node --test would keep quiet inside a test.
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
    return run(process.execPath, args, { cwd: suite, env }).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      ({ stdout, code }: { stdout: string; code: number }) => ({ stdout, code }),
    );
  }

  test('a driver that is right', async () => {
    await writeFile(path.join(suite, 'map-driver.js'), driver);
    const tested = await node('--test', '--test-reporter=tap');
    expect(tested.code, tested.stdout).toBe(0);
    expect(tested.stdout).toMatch(/# pass [6-9]\d/);
    expect(tested.stdout).toMatch(/# fail 0/);
    expect(tested.stdout).toContain("# SKIP No 'makeThrough' is given");
    const checked = await node('check.js');
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^map: keeps the contract\n/) });
  });

  test('a driver that is wrong', async () => {
    await writeFile(path.join(suite, 'map-driver.js'), driver.replace('Buffer.concat(parts)', 'parts[0]'));
    const tested = await node('--test', '--test-reporter=tap');
    expect(tested.code).toBe(1);
    expect(tested.stdout).toMatch(/not ok \d+ - buffers: a value may come in parts/);
    const checked = await node('check.js');
    expect(checked).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(
        /^map: does not keep the contract\n[\s\S]*buffers: a value may come in parts/,
      ),
    });
  });

  test('types say what a driver, the suite and the proxy are', async () => {
    const program = `
      import { describe, test } from 'node:test';
      import { FaultProxy, storageSuite, type StorageDriver, type Toxic } from 'tierkv/storage-suite';
      declare const driver: StorageDriver;
      storageSuite({ name: 'map', make: () => driver }, { describe, test });
      const toxic: Toxic = { type: 'latency', attributes: { latency: 5 } };
      (await FaultProxy.start({ upstream: { host: '127.0.0.1', port: 1 } })).add(toxic);
      // @ts-expect-error a driver has more than a name
      storageSuite({ name: 'map', make: () => ({ name: 'map' }) }, { test });
    `;
    await writeFile(path.join(suite, 'types.ts'), program);
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const types = path.join(root, 'node_modules/@types');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
    const { stdout, code } = await node(tsc, ...options, '--typeRoots', types, 'types.ts');
    expect(stdout).toBe('');
    expect(code).toBe(0);
  });
});
