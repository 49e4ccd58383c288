/** `npm run bench:peers`: TierKV beside llama.cpp's own server, under the workloads of `tierkv bench`. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { BenchReport } from '../../src/bench/report.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ProgressLine } from '../../src/cli/progress-line.ts';
import { ensureModel } from '../../src/models/store.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { format, inRounds, writeSection } from '../support/page.ts';
import { runCall } from './call.ts';
import { glance, type MeasuredPart } from './glance.ts';
import { ensureLlamaCpp } from './llama-cpp.ts';
import type { Part } from './part.ts';
import { behind } from './parts/behind.ts';
import { fanout } from './parts/fanout.ts';
import { longdoc } from './parts/longdoc.ts';
import { memory0, memory256, memory8192, sharedSystem } from './parts/multiturn.ts';
import { openloop } from './parts/openloop.ts';
import { replay } from './parts/replay.ts';
import { restart } from './parts/restart.ts';
import { situations } from './parts/situations.ts';
import { steady } from './parts/steady.ts';
import { THREADS } from './peer.ts';

const PARTS: Record<string, Part> = {
  steady,
  fanout,
  'shared-system': sharedSystem,
  'memory-8192': memory8192,
  'memory-256': memory256,
  'memory-0': memory0,
  restart,
  situations,
  longdoc,
  replay,
  openloop,
  behind,
};

const RESULTS = path.join(import.meta.dirname, 'results');

const { rounds, only } = new Command('bench:peers')
  .addOption(new Option('--only <part>', 'one part alone').choices(Object.keys(PARTS)))
  .option(
    '--rounds <n>',
    'in each of which every server has its turn (default: as the part has it)',
    wholeNumber(1),
  )
  .parse()
  .opts<{ rounds?: number; only?: string }>();

const say = (line: string) => process.stderr.write(`${line}\n`);
const progress = new ProgressLine('compiling llama.cpp');
try {
  const onProgress = (fraction: number) => progress.update(fraction);
  const build = await ensureLlamaCpp({ say, onProgress }).finally(() => progress.end());
  const places = { build, modelPath: await ensureModel('bench') };
  for (const [name, part] of Object.entries(PARTS)) {
    if (only !== undefined && name !== only) continue;
    say(`${name} …`);
    const reports: BenchReport[] = [];
    for (const call of part.calls) {
      const report = await runCall(call, rounds ?? part.rounds, places);
      const broken = report.runs.find(({ problem }) => problem !== null);
      // Figures that are there are better than a table without this server.
      if (broken) throw new Error(`${name}, ${broken.label}: ${broken.problem}`);
      reports.push(report);
    }
    await keep(name, part, reports);
  }
} catch (error) {
  say(`bench:peers: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function keep(name: string, part: Part, reports: readonly BenchReport[]): Promise<void> {
  const machine = thisMachine();
  await mkdir(RESULTS, { recursive: true });
  const file = resultsOf(name);
  await writeFile(file, JSON.stringify({ ...machine, reports }, null, 2));
  await format(file);
  const about = `197 M parameters in q8_0, ${THREADS} threads, ${inRounds(rounds ?? part.rounds)}`;
  const markdown = `${describeMachine(machine)}; ${about}.\n\n${part.show(reports)}`;
  await writeSection(`bench:peers -- --only ${name}`, markdown);
  await writeSection('bench:peers', glance(await kept()));
}

/** What was measured last of every part that was measured. */
async function kept(): Promise<MeasuredPart[]> {
  const measured = Object.entries(PARTS).filter(([name]) => existsSync(resultsOf(name)));
  return Promise.all(
    measured.map(async ([name, part]) => {
      const { reports } = JSON.parse(await readFile(resultsOf(name), 'utf8')) as { reports: BenchReport[] };
      return { part, reports };
    }),
  );
}

function resultsOf(name: string): string {
  return path.join(RESULTS, `${name}.json`);
}
