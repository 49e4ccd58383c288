/** `npm run bench:engine`: what HTTP, scheduling and sampling cost over llama.cpp's own loop. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { Command } from 'commander';
import { median, rounded } from '../../src/bench/statistics.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ensureModel } from '../../src/models/store.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { inRounds, table, writeSection } from '../support/page.ts';
import { withServers } from '../support/server.ts';
import { measureThroughput, SEEDS, type Shape, type Speed } from '../support/throughput.ts';
import { SETTINGS, SHAPES } from './shapes.ts';

const { rounds, quick } = new Command('bench:engine')
  .option('--rounds <n>', 'measurements of each side, in turn', wholeNumber(1), 3)
  .option('--quick', 'one round on the tiny model, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; quick?: true }>();
const ROUNDS = quick ? 1 : rounds;
const HEAD = ['phase', 'requests', 'llama.cpp tok/s', 'TierKV tok/s', 'ratio'];
const here = import.meta.dirname;
const modelPath = await ensureModel(quick ? 'tiny' : 'bench');

interface Measured {
  shape: Shape;
  speed: Speed;
}

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

async function runDirect(): Promise<Measured[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(here, 'direct.ts'), modelPath]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Measured);
}

async function runServer(): Promise<Measured[]> {
  const flags = {
    '--model-path': modelPath,
    '--threads': SETTINGS.threads,
    '--max-total-tokens': SETTINGS.cells,
    '--context-length': SETTINGS.cells,
    '--max-running-requests': 8,
    '--max-prefill-tokens': SETTINGS.batchTokens,
  };
  return withServers([flags], async ([server]) => {
    const results: Measured[] = [];
    // No prompt comes twice: what is cached must not count as computed.
    let seed = SEEDS;
    for (const shape of SHAPES) {
      await measureThroughput(server!.url, { ...shape, answerTokens: 8 }, seed);
      results.push({ shape, speed: await measureThroughput(server!.url, shape, seed + SEEDS) });
      seed += 2 * SEEDS;
    }
    return results;
  });
}

async function report(all: readonly Sample[]): Promise<void> {
  const rows = (['prefill', 'decode'] as const).flatMap((phase) =>
    [...new Set(all.map((sample) => sample.shape.requests))].map((requests) => {
      const mine = all.filter((sample) => sample.shape.requests === requests);
      const direct = median(mine.map((sample) => sample.direct[phase]));
      const http = median(mine.map((sample) => sample.http[phase]));
      const ratio = median(mine.map((sample) => sample.http[phase] / sample.direct[phase]));
      return { phase, requests, direct: rounded(direct), http: rounded(http), ratio: rounded(ratio, 3) };
    }),
  );
  const cells = rows.map(({ phase, requests, direct, http, ratio }) => [
    phase,
    requests,
    direct,
    http,
    ratio,
  ]);
  const shown = new Table({ head: HEAD, style: { head: [], border: [] } });
  shown.push(...cells);
  process.stdout.write(`${shown.toString()}\n`);
  if (quick) return;
  const machine = thisMachine();
  const result = { ...machine, settings: SETTINGS, rounds: ROUNDS, rows };
  await writeFile(path.join(here, '../results/engine.json'), `${JSON.stringify(result, null, 2)}\n`);
  const about = `${describeMachine(machine)}, ${SETTINGS.threads} threads; 197 M parameters in q8_0, medians of ${inRounds(ROUNDS)}.`;
  await writeSection('bench:engine', `${about}\n\n${table(HEAD, cells)}`);
}
