/** `npm run bench:cache`: what the tiers of the cache bring, what they cost, and what their defaults rest on. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { SAMPLE_TRACE } from '../../src/bench/trace/trace.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ensureModel } from '../../src/models/store.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { writeSection } from '../support/page.ts';
import { measureFirstToken } from './first-token/part.ts';
import { measureKept } from './kept-on-device.ts';
import { measureMisses } from './misses/part.ts';
import { measurePages } from './pages/part.ts';
import type { Part } from './part.ts';
import { measureReplay } from './replay/part.ts';

const PARTS: Record<string, Part> = {
  'first-token': measureFirstToken,
  misses: measureMisses,
  kept: measureKept,
  pages: measurePages,
  replay: measureReplay,
};

const here = import.meta.dirname;
const { rounds, quick, only, trace } = new Command('bench:cache')
  .option('--rounds <n>', 'measurements of each side, in turn', wholeNumber(1), 3)
  .addOption(new Option('--only <part>', 'one part alone').choices(Object.keys(PARTS)))
  .option('--trace <file>', 'what is replayed', SAMPLE_TRACE)
  .option('--quick', 'one round of small shapes on the tiny model, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; only?: string; trace: string; quick?: true }>();

const settings = {
  rounds: quick ? 1 : rounds,
  quick: quick ?? false,
  modelPath: await ensureModel(quick ? 'tiny' : 'bench'),
  trace,
  say: (line: string) => process.stderr.write(`${line}\n`),
};
for (const [name, measure] of Object.entries(PARTS)) {
  if (only !== undefined && name !== only) continue;
  settings.say(`${name} …`);
  const { data, markdown, about } = await measure(settings);
  process.stdout.write(`\n${markdown}\n\n`);
  if (quick) continue;
  const machine = thisMachine();
  const results = path.join(here, 'results');
  await mkdir(results, { recursive: true });
  const result = { ...machine, rounds: settings.rounds, ...data };
  await writeFile(path.join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  await writeSection(
    `bench:cache -- --only ${name}`,
    `${describeMachine(machine)}; ${about}.\n\n${markdown}`,
  );
}
