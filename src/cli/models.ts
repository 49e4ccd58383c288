import { stat } from 'node:fs/promises';
import { Argument, Command } from 'commander';
import { type ModelName, RECIPES } from '../models/recipes.ts';
import { ensureModel } from '../models/store.ts';
import { ProgressLine } from './progress-line.ts';

/** `npm run models`: makes the generated models that are missing and prints where they are. */
async function run(names: readonly ModelName[], options: { json?: true }): Promise<void> {
  const paths: Partial<Record<ModelName, string>> = {};
  for (const name of names) {
    const progress = new ProgressLine(`writing ${name}`);
    const path = await ensureModel(name, { onProgress: (fraction) => progress.update(fraction) }).finally(
      () => progress.end(),
    );
    paths[name] = path;
    if (!options.json) console.log(`${name}: ${path} (${((await stat(path)).size / 1e6).toFixed(1)} MB)`);
  }
  if (options.json) console.log(JSON.stringify(paths));
}

const command = new Command('models')
  .description('Make the generated models that are missing, and print where they are.')
  .addArgument(
    new Argument('[names...]', 'which models')
      .choices(Object.keys(RECIPES))
      .default(['tiny', 'bench'], 'tiny bench'),
  )
  .option('--json', 'print one line: a JSON object of names and paths')
  .action(run);

try {
  await command.parseAsync();
} catch (error) {
  console.error(`The models could not be made: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
