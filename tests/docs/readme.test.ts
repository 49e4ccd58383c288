import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureModel } from '../../src/models/store.ts';

const root = path.join(import.meta.dirname, '../..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const run = promisify(execFile);

/** The blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  );
}

/** `$ command` with the output shown below it. */
const shown = blocks('console').map((block) => {
  const [first = '', ...output] = block.trimEnd().split('\n');
  return { command: first.replace(/^\$ /, ''), output: output.join('\n') };
});
const commands = blocks('sh').flatMap((block) => block.trimEnd().split('\n'));

function shell(command: string, environment: NodeJS.ProcessEnv = {}) {
  return run('sh', ['-c', command], { cwd: root, timeout: 300_000, env: { ...process.env, ...environment } });
}

/** Starts what a block shows, and waits for the line below it. */
async function startShown(command: string, output: string, environment: NodeJS.ProcessEnv = {}) {
  const started = spawn('sh', ['-c', `exec ${command}`], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  const exited = new Promise((resolve) => started.once('exit', resolve));
  const lines: string[] = [];
  for await (const line of createInterface({ input: started.stdout })) {
    lines.push(line);
    if (line === output) break;
  }
  const stop = async () => {
    started.kill('SIGTERM');
    await exited;
  };
  return { lines, stop };
}

/** An answer with what differs from run to run and from processor to processor replaced. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
}

describe('the README', () => {
  const start = shown.find(({ command }) => command === 'npm start');
  let server: Awaited<ReturnType<typeof startShown>>;

  beforeAll(async () => {
    server = await startShown('npm start', start?.output ?? 'nothing');
  });

  afterAll(() => server.stop());

  test('npm start prints the address that it shows', () => {
    expect(start).toBeDefined();
    expect(server.lines.at(-1)).toBe(start?.output);
  });

  const curls = shown.filter(({ command }) => command.startsWith('curl'));
  test.each(curls)('a curl command answers in the shape that it shows', async ({ command, output }) => {
    const { stdout } = await shell(command);
    expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(JSON.parse(output)));
  });

  test('the same question is cached the second time but for one token, as it shows', async () => {
    const usageIn = (text: string) =>
      JSON.parse(text).usage as { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
    const shownUsage = curls.map(({ output }) => usageIn(output));
    const cached = (shownUsage[0]?.prompt_tokens ?? 0) - 1;
    expect(shownUsage.map((usage) => usage.prompt_tokens_details.cached_tokens)).toEqual([0, cached]);
    const { prompt_tokens_details: now } = usageIn((await shell(curls[0]?.command ?? 'false')).stdout);
    expect(now.cached_tokens).toBe(cached);
  });

  test.each(curls)('what it shows is an answer, and so is what is said now', async ({ command, output }) => {
    for (const text of [output, (await shell(command)).stdout]) {
      const { choices } = JSON.parse(text) as { choices: [{ message: object; finish_reason: string }] };
      expect(choices[0]).toMatchObject({
        message: { content: expect.stringContaining('TierKV') },
        finish_reason: 'stop',
      });
    }
  });

  test('the program with the openai client streams text', async () => {
    const folder = mkdtempSync(path.join(root, 'node_modules/.readme-'));
    try {
      writeFileSync(path.join(folder, 'example.mjs'), blocks('js')[0] ?? '');
      const { stdout } = await run(process.execPath, [path.join(folder, 'example.mjs')]);
      expect(stdout).toMatch(/\bfox\b/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('the version is the one that it shows', async () => {
    const version = shown.find(({ command }) => command.endsWith('--version'));
    expect((await shell(version?.command ?? 'false')).stdout.trim()).toBe(version?.output);
  });

  /** Starts what the README says, on a free port, and asks it which models it serves. */
  async function servedBy(command: string): Promise<string[]> {
    const started = spawn('sh', ['-c', `exec ${command} --port 0`], { cwd: root });
    const gone = new Promise((resolve) => started.once('exit', resolve));
    try {
      for await (const line of createInterface({ input: started.stdout })) {
        if (!line.startsWith('http')) continue;
        const { data } = (await (await fetch(`${line}/v1/models`)).json()) as { data: { id: string }[] };
        return data.map(({ id }) => id);
      }
      return [];
    } finally {
      started.kill('SIGTERM');
      await gone;
    }
  }

  test('a model of the user’s own is served', async () => {
    const command = commands.find((line) => line.includes('--model-path')) ?? 'false';
    const own = command.replace('path/to/model.gguf', await ensureModel('tiny-qwen2'));
    expect(await servedBy(own)).toEqual(['tierkv-tiny-qwen2']);
  });

  test('a server with a storage backend starts', async () => {
    const command = commands.find((line) => line.includes('--hicache-storage-backend')) ?? 'false';
    expect(await servedBy(command)).toEqual(['tierkv-demo']);
  });

  // `npm test` and `npm run check` are what CI itself runs.
  const others = commands.filter((line) => !/^npm start|npm test|npm run check/.test(line));
  test.each(others)('%s runs', { timeout: 300_000 }, async (command) => {
    const short = command.startsWith('npm run bench') ? `${command} -- --quick` : command;
    await expect(shell(short)).resolves.toBeDefined();
  });
});

describe('its story of the storage', () => {
  const isStart = ({ command }: { command: string }) => command.startsWith('TIERKV_ADMIN_API_KEY=');
  const start = shown.find(isStart) ?? { command: 'false', output: '' };
  const [, key = ''] = /^TIERKV_ADMIN_API_KEY=(\S+)/.exec(start.command) ?? [];
  const steps = shown.filter(({ command }) => command.startsWith('npx tierkv storage '));
  let server: Awaited<ReturnType<typeof startShown>>;

  beforeAll(async () => {
    server = await startShown(start.command.replace(/^\S+ /, ''), start.output, {
      TIERKV_ADMIN_API_KEY: key,
    });
    await shell(shown.find(({ command }) => command.startsWith('curl'))?.command ?? 'false');
  });

  afterAll(async () => {
    await server.stop();
    rmSync('/tmp/tierkv-pages', { recursive: true, force: true });
  });

  /** Without what differs from time to time: numbers, and how wide a table is for them. */
  const unvaried = (text: string) => text.replaceAll(/\d[\d.:TZ-]*/g, '#').replaceAll(/[ ─]+/g, ' ');

  test('has every step', () => {
    expect(steps.map(({ command }) => command.split(' ')[3])).toEqual([
      'attach',
      'status',
      'switch',
      'detach',
    ]);
  });

  test.each(steps)('$command prints what it shows', async ({ command, output }) => {
    const print = async () =>
      unvaried((await shell(command, { TIERKV_ADMIN_API_KEY: key })).stdout.trimEnd());
    // How much is stored is not known at once.
    if (command.endsWith(' status')) await expect.poll(print, { timeout: 30_000 }).toBe(unvaried(output));
    else expect(await print()).toBe(unvaried(output));
  });
});
