import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../../src/cli/option-types.ts';
import { ensureModel } from '../../src/models/store.ts';
import { describeMachine, thisMachine } from './machine.ts';
import { inRounds, writeSection } from './page.ts';

/** What every part of a benchmark is given. */
export interface Settings {
  /** Measurements of each side, in turn. */
  rounds: number;
  /** To see that it runs: small shapes on the tiny model. */
  quick: boolean;
  modelPath: string;
  say(line: string): void;
}

/** What a part found out. */
export interface Measured {
  /** What is kept as JSON. */
  data: object;
  /** What is printed and written into docs/benchmarks.md. */
  markdown: string;
  /** What it was measured on, besides the machine. */
  about: string;
}

export type Part<Given = Settings> = (settings: Given) => Promise<Measured>;

/** Of figures that a model was needed for. */
export function withModel({ rounds }: Settings): string {
  return `197 M parameters in q8_0, medians of ${inRounds(rounds)}`;
}

/** The command of a benchmark that has parts: others may be added to its options. */
export function partsCommand(name: string, parts: readonly string[]): Command {
  return new Command(name)
    .option('--rounds <n>', 'measurements of each side, in turn', wholeNumber(1), 3)
    .addOption(new Option('--only <part>', 'one part alone').choices(parts))
    .option('--quick', 'one round of small shapes on the tiny model, to see that it runs; nothing is kept');
}

interface PartsOptions {
  rounds: number;
  only?: string;
  quick?: true;
}

/**
 * Measures, prints, and keeps: `results/PART.json` in the folder, and the part's section in docs/benchmarks.md.
 *
 * @param command a {@link partsCommand}, parsed
 */
export async function runParts<Own extends object>(
  command: Command,
  folder: string,
  parts: Readonly<Record<string, Part<Settings & Own>>>,
  own: Own,
): Promise<void> {
  const { rounds, only, quick = false } = command.opts<PartsOptions>();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const modelPath = await ensureModel(quick ? 'tiny' : 'bench');
  const settings = { rounds: quick ? 1 : rounds, quick, modelPath, say, ...own };
  for (const [name, measure] of Object.entries(parts)) {
    if (only !== undefined && name !== only) continue;
    say(`${name} …`);
    const { data, markdown, about } = await measure(settings);
    process.stdout.write(`\n${markdown}\n\n`);
    if (quick) continue;
    const machine = thisMachine();
    const results = path.join(folder, 'results');
    await mkdir(results, { recursive: true });
    const result = { ...machine, rounds: settings.rounds, ...data };
    await writeFile(path.join(results, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    const text = `${describeMachine(machine)}; ${about}.\n\n${markdown}`;
    await writeSection(`${command.name()} -- --only ${name}`, text);
  }
}
