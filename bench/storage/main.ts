/** `npm run bench:storage`: every storage backend beside its bare client, and what the layers cost. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { rounded } from '../../src/bench/statistics.ts';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { describeMachine, thisMachine } from '../support/machine.ts';
import { inRounds, table, writeSection } from '../support/page.ts';
import { driverClient } from './driver-client.ts';
import { LAYERS } from './layers.ts';
import { type Compared, compare } from './measure.ts';
import type { Target } from './target.ts';
import { TARGETS } from './targets/targets.ts';

const KIB = 1024;
const SIZES = [64 * KIB, 256 * KIB, 1024 * KIB];
/** Of each round and side, so that a round takes some tenths of a second. */
const ROUND_BYTES = 64 * 1024 * KIB;

const { rounds, quick, only } = new Command('bench:storage')
  .option('--rounds <n>', 'measurements of each side, in turn', wholeNumber(1), 7)
  .addOption(new Option('--only <backend>', 'one backend alone').choices(Object.keys(TARGETS)))
  .option('--quick', 'one round of a few values, to see that it runs; nothing is kept')
  .parse()
  .opts<{ rounds: number; quick?: true; only?: string }>();

const say = (line: string) => process.stderr.write(`${line}\n`);
const repeats = quick ? 1 : rounds;
const countOf = (size: number) => (quick ? 32 : ROUND_BYTES / size);

interface Row {
  backend: string;
  beside: string;
  valueBytes: number;
  compared: Compared;
}

async function measureDriver({ name, bareName, driver, bare }: Target): Promise<Row[]> {
  const rows: Row[] = [];
  for (const valueBytes of SIZES) {
    const compared = await compare(driverClient(driver), bare, valueBytes, countOf(valueBytes), repeats);
    rows.push({ backend: name, beside: bareName, valueBytes, compared });
  }
  return rows;
}

async function measureLayers({ name, driver }: Target): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [layer, wrap] of Object.entries(LAYERS))
    for (const valueBytes of SIZES) {
      const inside = driverClient(wrap(driver));
      const compared = await compare(inside, driverClient(driver), valueBytes, countOf(valueBytes), repeats);
      rows.push({ backend: `${name} in ${layer}`, beside: name, valueBytes, compared });
    }
  return rows;
}

const drivers: Row[] = [];
const layers: Row[] = [];
for (const [name, start] of Object.entries(TARGETS)) {
  if (only !== undefined && only !== name) continue;
  const target = await start();
  if (typeof target === 'string') {
    say(`${name}: left out, ${target}`);
    continue;
  }
  say(`${name} …`);
  try {
    drivers.push(...(await measureDriver(target)));
    layers.push(...(await measureLayers(target)));
  } finally {
    await target.stop();
  }
}

function asTable(rows: readonly Row[]): string {
  const speed = (perSecond: number, bytes: number) => rounded((perSecond * bytes) / 1e6, 0);
  return table(
    ['backend', 'KiB', 'write MB/s', 'write/s', 'of bare', 'read MB/s', 'read/s', 'of bare'],
    rows.map(({ backend, valueBytes, compared: { write, read } }) => [
      backend,
      valueBytes / KIB,
      speed(write.subject, valueBytes),
      rounded(write.subject, 0),
      rounded(write.ratio, 2),
      speed(read.subject, valueBytes),
      rounded(read.subject, 0),
      rounded(read.ratio, 2),
    ]),
  );
}

const bareNames = new Map(drivers.map(({ backend, beside }) => [backend, beside]));
const besides = [...bareNames].map(([backend, beside]) => `${backend}: ${beside}`).join('; ');
const markdown = [
  `Beside the bare client (${besides}):`,
  asTable(drivers),
  'Inside a layer, beside the driver alone:',
  asTable(layers),
].join('\n\n');
process.stdout.write(`\n${markdown}\n\n`);
if (!quick && only === undefined) {
  const machine = thisMachine();
  const results = path.join(import.meta.dirname, '../results');
  await mkdir(results, { recursive: true });
  const data = { ...machine, rounds, drivers, layers };
  await writeFile(path.join(results, 'storage.json'), `${JSON.stringify(data, null, 2)}\n`);
  await writeSection(
    'bench:storage',
    `${describeMachine(machine)}; medians of ${inRounds(rounds)}.\n\n${markdown}`,
  );
}
