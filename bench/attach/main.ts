/** `npm run bench:attach`: how long changes of the storage take, and what requests notice of them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { median, percentile, rounded } from '../../src/bench/statistics.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ensureModel } from '../../src/models/store.ts';
import { Load } from '../support/load.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { inRounds, table, writeSection } from '../support/page.ts';
import { withServers } from '../support/server.ts';
import { ADMIN_KEY, MODES, type Mode, Operations } from './operations.ts';

const { rounds, quick } = new Command('bench:attach')
  .option('--rounds <n>', 'of each operation, and windows with and without operations', wholeNumber(1), 10)
  .option('--quick', 'one round on the tiny model, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; quick?: true }>();

const repeats = quick ? 1 : rounds;
const shape = { streams: 16, promptTokens: 256, answerTokens: quick ? 16 : 64, prompts: 48 };
const windowMs = quick ? 1000 : 10_000;
const say = (line: string) => process.stderr.write(`${line}\n`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Durations {
  mode: Mode;
  attach: number[];
  update: number[];
  switch: number[];
  detach: number[];
}

async function measureDurations(operations: Operations, mode: Mode): Promise<Durations> {
  const found: Durations = { mode, attach: [], update: [], switch: [], detach: [] };
  for (let round = 0; round < repeats; round++) {
    found.attach.push(await operations.attach(mode));
    found.update.push(await operations.update(mode));
    found.switch.push(await operations.switchTo(1, mode));
    found.detach.push(await operations.detach(mode));
  }
  return found;
}

/** Windows of time with a switch every second, and such without, in turn; the first one is for warming up. */
async function measureNotice(url: string, operations: Operations) {
  await operations.attach('live');
  const load = new Load(url, shape);
  const windows: { operated: boolean; p50: number; p99: number; longest: number }[] = [];
  let folder: 0 | 1 = 0;
  for (let i = -1; i < 2 * repeats; i++) {
    const operated = i % 2 === 1;
    const from = performance.now();
    while (performance.now() - from < windowMs) {
      await pause(Math.min(1000, windowMs));
      folder = folder === 0 ? 1 : 0;
      if (operated) await operations.switchTo(folder, 'live');
    }
    const gaps = load.gaps(from, performance.now());
    const [p50, p99] = [percentile(gaps, 0.5), percentile(gaps, 0.99)];
    if (i >= 0) windows.push({ operated, p50, p99, longest: Math.max(...gaps) });
    say(`window ${i + 1}: ${operated ? 'operated' : 'left alone'}, p99 ${p99.toFixed(1)} ms`);
  }
  const loaded: Durations[] = [];
  for (const mode of ['drain', 'live'] as const) {
    await operations.detach('live');
    loaded.push(await measureDurations(operations, mode));
    await operations.attach('live');
  }
  await load.stop();
  await operations.detach('drain');
  return { windows, loaded, answers: load.answers };
}

const folders = [
  await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-')),
  await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-')),
] as const;
const flags = {
  '--model-path': await ensureModel(quick ? 'tiny' : 'bench'),
  '--dp-size': 2,
  '--admin-api-key': ADMIN_KEY,
  '--max-total-tokens': 8192,
  '--context-length': 1024,
} as const;
try {
  await withServers([flags], async (servers) => {
    const { url } = servers[0]!;
    const operations = new Operations(url, folders);
    // The first one loads what is loaded once.
    await operations.attach('idle');
    await operations.detach('idle');
    const unloaded: Durations[] = [];
    for (const mode of MODES) unloaded.push(await measureDurations(operations, mode));
    say('idle: done');
    const { windows, loaded, answers } = await measureNotice(url, operations);

    const row = (load: string, { mode, ...times }: Durations) => [
      load,
      mode,
      ...(['attach', 'update', 'switch', 'detach'] as const).map((name) => rounded(median(times[name]))),
    ];
    const durations = table(
      ['server', 'mode', 'attach', 'policies alone', 'switch', 'detach'],
      [...unloaded.map((d) => row('idle', d)), ...loaded.map((d) => row(`${shape.streams} streams`, d))],
    );
    const of = (operated: boolean, figure: 'p50' | 'p99' | 'longest') =>
      median(windows.filter((window) => window.operated === operated).map((window) => window[figure]));
    const notice = table(
      ['time between tokens, ms', 'left alone', 'a switch every second', 'ratio'],
      (['p50', 'p99', 'longest'] as const).map((figure) => [
        figure,
        rounded(of(false, figure)),
        rounded(of(true, figure)),
        rounded(of(true, figure) / of(false, figure), 3),
      ]),
    );
    const markdown = `Milliseconds until the answer, on two ranks:\n\n${durations}\n\nWhat ${shape.streams} streams notice (${answers} answers, none failed):\n\n${notice}`;
    process.stdout.write(`\n${markdown}\n\n`);
    if (quick) return;
    const machine = thisMachine();
    const results = path.join(import.meta.dirname, '../results');
    await mkdir(results, { recursive: true });
    const data = { ...machine, rounds, shape, windowMs, unloaded, loaded, windows, answers };
    await writeFile(path.join(results, 'attach.json'), `${JSON.stringify(data, null, 2)}\n`);
    const about = `197 M parameters in q8_0, two ranks, medians of ${inRounds(rounds)}`;
    await writeSection('bench:attach', `${describeMachine(machine)}; ${about}.\n\n${markdown}`);
  });
} finally {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
}
