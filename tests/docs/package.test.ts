import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

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
    expect(answer.status).toBe(200);
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
