/** `npm run bench:engine`: what HTTP, scheduling and sampling cost over llama.cpp's own loop. */
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { Command } from 'commander';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { LIBRARY_VERSION } from '../../src/engine/llama/library.ts';
import { ensureModel } from '../../src/models/store.ts';
import { renderResult } from './render.ts';
import { SETTINGS, type Shape, type Speed } from './shapes.ts';
import { measureServer } from './through-http.ts';

const { rounds, quick } = new Command('bench:engine')
  .option('--rounds <n>', 'measurements of each side, in turn', wholeNumber(1), 3)
  .option('--quick', 'one round on the tiny model, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; quick?: true }>();
const ROUNDS = quick ? 1 : rounds;
const here = import.meta.dirname;
const modelPath = await ensureModel(quick ? 'tiny' : 'bench');

interface Sample {
  shape: Shape;
  direct: Speed;
  http: Speed;
}

const samples: Sample[] = [];
for (let round = 0; round < ROUNDS; round++) {
  process.stderr.write(`round ${round + 1} of ${ROUNDS}: llama.cpp alone …\n`);
  const direct = await runDirect();
  process.stderr.write(`round ${round + 1} of ${ROUNDS}: through HTTP …\n`);
  const http = await runServer();
  direct.forEach(({ shape, speed }, i) => {
    const other = http[i];
    if (other) samples.push({ shape, direct: speed, http: other.speed });
  });
}
await report(samples);

async function runDirect(): Promise<{ shape: Shape; speed: Speed }[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(here, 'direct.ts'), modelPath]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { shape: Shape; speed: Speed });
}

async function runServer(): Promise<{ shape: Shape; speed: Speed }[]> {
  const flags = {
    '--model-path': modelPath,
    '--port': 0,
    '--gpu': 'off',
    '--threads': SETTINGS.threads,
    '--max-total-tokens': SETTINGS.cells,
    '--context-length': SETTINGS.cells,
    '--max-running-requests': 8,
    '--max-prefill-tokens': SETTINGS.batchTokens,
    '--log-level': 'warn',
  };
  const args = [
    path.join(here, '../../src/cli/main.ts'),
    'serve',
    ...Object.entries(flags).flat().map(String),
  ];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  try {
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: server.stdout }).once('line', resolve);
      void exited.then(() => reject(new Error('The server did not start.')));
    });
    return await measureServer(url);
  } finally {
    server.kill('SIGTERM');
    await exited;
  }
}

async function report(all: readonly Sample[]): Promise<void> {
  const table = new Table({
    head: ['', 'requests', 'llama.cpp tok/s', 'TierKV tok/s', 'ratio'],
    style: { head: [], border: [] },
  });
  const rows = (['prefill', 'decode'] as const).flatMap((phase) =>
    [...new Set(all.map((sample) => sample.shape.requests))].map((requests) => {
      const mine = all.filter((sample) => sample.shape.requests === requests);
      const direct = median(mine.map((sample) => sample.direct[phase]));
      const http = median(mine.map((sample) => sample.http[phase]));
      const ratio = median(mine.map((sample) => sample.http[phase] / sample.direct[phase]));
      return { phase, requests, direct: round(direct), http: round(http), ratio: Number(ratio.toFixed(3)) };
    }),
  );
  for (const { phase, requests, direct, http, ratio } of rows)
    table.push([phase, requests, direct, http, ratio]);
  process.stdout.write(`${table.toString()}\n`);
  const result = {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model,
    cores: os.availableParallelism(),
    node: process.versions.node,
    llamaCpp: LIBRARY_VERSION,
    settings: SETTINGS,
    rounds: ROUNDS,
    rows,
  };
  if (quick) return;
  await writeFile(path.join(here, '../results/engine.json'), `${JSON.stringify(result, null, 2)}\n`);
  await renderResult(result);
}

/** Of an even number the lower one of the middle. */
function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
