import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { Argument, Command } from 'commander';
import { type ModelName, RECIPES } from './recipes.ts';
import { ensureModel } from './store.ts';

/** Makes one model, with a bar on stderr when a person is looking at it. */
async function ensure(name: ModelName): Promise<string> {
  if (!process.stderr.isTTY) return ensureModel(name);
  const bar = new SingleBar({
    format: `${name} {bar} {percentage} %`,
    stream: process.stderr,
    clearOnComplete: true,
  });
  let started = false;
  try {
    return await ensureModel(name, {
      onProgress: (fraction) => {
        if (!started) bar.start(100, 0);
        started = true;
        bar.update(Math.floor(100 * fraction));
      },
    });
  } finally {
    if (started) bar.stop();
  }
}

async function run(names: readonly ModelName[], options: { json?: true }): Promise<void> {
  const paths: Partial<Record<ModelName, string>> = {};
  for (const name of names) {
    const path = await ensure(name);
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
