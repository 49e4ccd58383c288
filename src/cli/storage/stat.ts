import Table from 'cli-table3';
import type { Command } from 'commander';
import { systemClock } from '../../shared/clock.ts';
import { cannotList } from '../../storage/maintenance/listing.ts';
import { type StoreStat, statStore } from '../../storage/maintenance/stat-store.ts';
import { endedBadly, interruptible } from '../interrupt.ts';
import { printJson } from './ask.ts';
import { amount, PLAIN, usageText } from './format.ts';
import { nameStore, withOpenStore } from './open-store.ts';
import { type OneStoreFlags, withStore } from './options.ts';
import { WorkLine } from './work-line.ts';

interface StatFlags extends OneStoreFlags {
  read?: true;
}

/** `tierkv storage stat`: what a store holds, without a server. */
export function addStat(storage: Command): void {
  withStore(
    storage
      .command('stat')
      .description('count the pages in a store, model by model')
      .argument('<backend>', 'its name, such as file'),
  )
    .option('--read', 'read pages whose length the store does not list')
    .option('--json', 'print JSON')
    .action(async (backend: string, flags: StatFlags) => {
      const named = await nameStore(backend, '--extra-config', flags.extraConfig, flags);
      if (!named.driver.list) throw cannotList(named.driver);
      const { read = false, json } = flags;
      const stat = await interruptible((signal) =>
        withOpenStore(named, signal, ({ store, values }) => {
          const line = new WorkLine(`stat ${backend}`);
          const onProgress = (pages: number) => line.update({ pages });
          return statStore(store, {
            clock: systemClock,
            signal,
            readFrom: read ? values : undefined,
            onProgress,
          }).finally(() => line.end());
        }),
      );
      if (json) printJson({ backend, ...stat });
      else process.stdout.write(`${tableOf(stat)}\n${[...notes(stat)].map((note) => `${note}\n`).join('')}`);
      if (stat.problem !== null || stat.failed.length > 0) endedBadly();
    });
}

/** What goes or stays, model by model. */
export function tableOf({ models, pages, bytes }: Pick<StoreStat, 'models' | 'pages' | 'bytes'>): string {
  const table = new Table({ head: ['model', 'pages', 'size'], style: PLAIN });
  for (const counted of models) table.push([counted.model, counted.pages, amount(counted.bytes)]);
  table.push(['all', pages, amount(bytes)]);
  return table.toString();
}

function* notes({ others, usage, failed, problem }: StoreStat): Generator<string> {
  yield `values that are no pages: ${others}`;
  if (usage) yield `in use, as the store says: ${usageText(usage)}`;
  for (const { key, reason } of failed) yield `failed: ${key}: ${reason}`;
  if (problem !== null) yield `not finished: ${problem}`;
}
