import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureModel } from '../../src/models/store.ts';
import { tierkv } from '../support/command.ts';
import { MAIN, NODE, startServer } from '../support/server.ts';

/** What is wrong, in its one line on stderr. */
async function complaint(flags: readonly string[], environment?: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await tierkv(flags, environment);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stdout).toBe('');
  expect(code).toBe(1);
  // The log's lines before it say what goes on, not what is wrong.
  const lines = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{"level":30'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^tierkv: /);
  return lines[0]!;
}

const FILE_BACKEND = ['serve', '--hicache-storage-backend', 'file', '--hicache-storage-backend-extra-config'];

let folder: string;
let tiny: string;
let taken: Server;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tierkv-cli-'));
  tiny = await ensureModel('tiny');
  for (const name of ['none', 'one', 'two']) await mkdir(path.join(folder, name));
  for (const name of ['one/a.gguf', 'two/a.gguf', 'two/b.gguf', 'cut.gguf', 'header.gguf'])
    await copyFile(tiny, path.join(folder, name));
  await truncate(path.join(folder, 'cut.gguf'), 3_000_000);
  await truncate(path.join(folder, 'header.gguf'), 30);
  await writeFile(path.join(folder, 'empty.gguf'), '');
  await writeFile(path.join(folder, 'text.gguf'), 'no model');
  await writeFile(path.join(folder, 'bad.jinja'), '{% if %}');
  taken = createServer().listen(0, '127.0.0.1');
});
afterAll(async () => {
  taken.close();
  await rm(folder, { recursive: true });
});

describe('a flag', () => {
  it.each([
    [['serve', '--nosuch'], "unknown option '--nosuch'"],
    [['--prot', '5'], 'Did you mean --port?'],
    [['nosuch'], 'nosuch'],
    [['serve', '--port', 'x'], 'whole number from 0 to 65535'],
    [['serve', '--port', '70000'], 'whole number from 0 to 65535'],
    [['serve', '--port'], 'argument missing'],
    [['serve', '--dp-size', '0'], 'whole number from 1'],
    [['serve', '--context-length', '1e3'], 'whole number'],
    [['serve', '--max-total-tokens', '999999999999999'], 'whole number'],
    [['serve', '--gpu', 'nosuch'], 'auto, cuda, vulkan, metal, off'],
    [['doctor', '--gpu', 'nosuch'], 'auto, cuda, vulkan, metal, off'],
    [['serve', '--kv-cache-dtype', 'f64'], 'f16'],
    [
      ['serve', '--context-length', '1000', '--max-total-tokens', '500'],
      'does not fit into --max-total-tokens 500',
    ],
    [['serve', '--max-running-requests', '1000'], '192 at most'],
    [['serve', '--api-key', ''], '--api-key (TIERKV_API_KEY) is empty'],
    [['serve', '--chat-template', '/nosuch.jinja'], '/nosuch.jinja cannot be read'],
    [['serve', '--host', '192.0.2.1'], '192.0.2.1:'],
    [['serve', '--page-size', '0'], 'whole number from 1'],
    [['serve', '--hicache-size', '1000000'], '--hicache-size asks for more memory than there is'],
    [['serve', '--hicache-storage-backend', 'nope'], "no storage backend 'nope'; known are: file"],
    [[...FILE_BACKEND, '{"path": '], 'must be valid JSON'],
    [[...FILE_BACKEND, '[]'], 'must be a JSON object'],
    [[...FILE_BACKEND, '{"pathh": "x"}'], "'pathh' is not known here; known are: path"],
    [[...FILE_BACKEND, '{"path": 5}'], "'path' must be string"],
    [[...FILE_BACKEND, '{"prefetch_threshold": 0}'], "'prefetch_threshold' must be"],
    [[...FILE_BACKEND, '@/nosuch.json'], '/nosuch.json cannot be read'],
    [[...FILE_BACKEND, '@/nosuch.ini'], '/nosuch.ini does not end in .json, .yaml, .yml or .toml'],
    [
      ['serve', '--disable-radix-cache', '--hicache-storage-backend', 'file'],
      '--hicache-storage-backend needs the hierarchical cache',
    ],
  ])('%j that cannot be is one clear line', async (flags, problem) => {
    expect(await complaint(flags)).toContain(problem);
  });

  it('is not needed for a key, which is never shown', async () => {
    const line = await complaint([], { TIERKV_ADMIN_API_KEY: 'schlüssel' });
    expect(line).toContain('TIERKV_ADMIN_API_KEY');
    expect(line).not.toContain('schl');
  });

  it('that is mistyped does not show what was given for it', async () => {
    const line = await complaint(['serve', "--admin-api-ky=sesame\n'open'"]);
    expect(line).toContain("unknown option '--admin-api-ky'");
    expect(line).not.toMatch(/sesame|open/);
  });

  it('may ask for fewer cells than the model was trained for', async () => {
    const server = await startServer(['--max-total-tokens', '1000', '--chunked-prefill-size', '2000000000']);
    const { limits } = await server.info();
    await server.kill();
    expect(limits).toMatchObject({ contextLength: 1000, maxTotalTokens: 1024, chunkedPrefillSize: 1024 });
  });
});

describe('a model', () => {
  it.each([
    ['nosuch.gguf', 'there is no such file'],
    ['empty.gguf', 'the file is empty'],
    ['text.gguf', 'this is not a GGUF file'],
    ['cut.gguf', 'incomplete'],
    ['header.gguf', 'failed to read'],
    ['none', 'the folder holds no .gguf file'],
    ['two', 'the folder holds several models: a.gguf, b.gguf'],
  ])('%s is refused in one clear line', async (name, problem) => {
    const file = path.join(folder, name);
    const line = await complaint(['serve', '--model-path', file]);
    expect(line).toContain(problem);
    expect(line).toContain(file);
  });

  it.each([
    ['unknown-arch', 'nosucharch'],
    ['embedding', "'bert' computes embeddings only"],
  ] as const)('%s is refused in one clear line', async (name, problem) => {
    expect(await complaint(['--model', await ensureModel(name)])).toContain(problem);
  });

  it('with a broken chat template is refused in one clear line', async () => {
    const line = await complaint(['--model', tiny, '--chat-template', path.join(folder, 'bad.jinja')]);
    expect(line).toContain('bad.jinja is not valid');
  });

  it('too large for the memory is refused in one clear line', async () => {
    const line = await complaint(['--model', tiny, '--context-length', '2000000000']);
    expect(line).toContain('not enough memory');
  });

  it('alone in its folder is served', async () => {
    const server = await startServer(['--model-path', path.join(folder, 'one')]);
    expect(await (await server.get('/model_info')).json()).toMatchObject({
      model_path: path.join(folder, 'one/a.gguf'),
    });
    expect(await server.stop()).toBe(0);
  });
});

describe('a port', () => {
  it('in use is one clear line, and leaves nothing running', async () => {
    const { port } = taken.address() as { port: number };
    expect(await complaint(['--port', String(port)])).toContain(`127.0.0.1:${port} is already in use`);
  });
});

describe('the command', () => {
  it('explains itself', async () => {
    for (const flags of [['--help'], ['serve', '--help'], ['doctor', '--help']]) {
      const { code, stdout, stderr } = await tierkv(flags);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('Usage: tierkv');
    }
    expect((await tierkv(['serve', '--help'])).stdout).toContain('--model-path');
  });

  it('tells its version', async () => {
    const { code, stdout } = await tierkv(['--version']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  it('doctor examines the machine', async () => {
    const { code, stdout } = await tierkv(['doctor', '--gpu', 'off']);
    expect(stdout).toContain('No problems found.');
    expect(code).toBe(0);
    const report = JSON.parse((await tierkv(['doctor', '--gpu', 'off', '--json'])).stdout) as object;
    expect(report).toMatchObject({ problems: [], cores: expect.any(Number), library: { kind: 'off' } });
  });
});

it('ends without a word when the reader of its output has enough', async () => {
  const child = spawn(NODE, [MAIN, 'storage', 'backends', 'redis']);
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  expect(stderr).toBe('');
  expect(code).toBe(0);
});
