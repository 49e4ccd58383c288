import Table from 'cli-table3';
import type { Command } from 'commander';
import { type TSchema, Type } from 'typebox';
import { PrefetchOptions } from '../../cache/storage-config.ts';
import { failure } from '../../shared/errors.ts';
import { listBackends } from '../../storage/factory.ts';
import { LayerOptions } from '../../storage/layer-options.ts';
import { describeOptions } from '../../storage/option-texts.ts';
import { printJson } from './ask.ts';

const EVERY_BACKEND = Type.Object({ ...LayerOptions.properties, ...PrefetchOptions.properties });

/** `tierkv storage backends`: what can be attached, without a server. */
export function addBackends(storage: Command): void {
  storage
    .command('backends')
    .description('list the storage backends, or show the options of one')
    .argument('[backend]', 'its name, such as file')
    .option('--json', 'print JSON, with the schema of the options')
    .action((name: string | undefined, { json }: { json?: true }) => {
      const all = listBackends();
      const found = all.filter((backend) => name === undefined || backend.name === name);
      if (found.length === 0) {
        const known = all.map((backend) => backend.name).join(', ');
        const reason = `There is no storage backend '${name}'; known are: ${known}.`;
        throw failure('storage_unknown_backend', { reason });
      }
      if (json) return printJson(found.map((backend) => ({ ...backend, everyBackend: EVERY_BACKEND })));
      if (name === undefined) return printNames(found);
      for (const { options } of found) printOptions(options);
      process.stdout.write('\nOptions of every backend:\n');
      printOptions(EVERY_BACKEND);
    });
}

const PLAIN = { head: [], border: [] };

function printNames(backends: ReturnType<typeof listBackends>): void {
  const table = new Table({ head: ['backend', 'what it is'], style: PLAIN });
  for (const { name, summary } of backends) table.push([name, summary]);
  process.stdout.write(`${table.toString()}\n`);
}

function printOptions(options: TSchema): void {
  const table = new Table({ head: ['option', 'type', 'default', 'meaning'], style: PLAIN, wordWrap: true });
  for (const { name, type, otherwise, description } of describeOptions(options))
    table.push([name, type, otherwise, description]);
  process.stdout.write(`${table.toString()}\n`);
}
