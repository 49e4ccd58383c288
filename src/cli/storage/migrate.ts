import { isDeepStrictEqual } from 'node:util';
import Table from 'cli-table3';
import { type Command, InvalidArgumentError } from 'commander';
import { parseByteSize } from '../../shared/byte-size.ts';
import { systemClock } from '../../shared/clock.ts';
import { failure } from '../../shared/errors.ts';
import type { Usage } from '../../storage/driver.ts';
import { cannotList } from '../../storage/maintenance/listing.ts';
import { type MigrateReport, migrate } from '../../storage/maintenance/migrate.ts';
import { endedBadly, interruptible } from '../interrupt.ts';
import { printJson } from './ask.ts';
import { amount, counts, duration, PLAIN, speed, usageText } from './format.ts';
import { type NamedStore, nameStore, withOpenStore } from './open-store.ts';
import { type StoreFlags, withDynamicFolder, withModel } from './options.ts';
import { WorkLine } from './work-line.ts';

interface MigrateFlags extends StoreFlags {
  fromConfig?: string;
  toConfig?: string;
  rate?: number;
  model?: string;
  verify?: true;
}

interface Report extends MigrateReport {
  from: string;
  to: string;
  milliseconds: number;
  /** What the target says of itself; null where it does not. */
  usage: Usage | null;
}

/** `tierkv storage migrate`: pages of one store to another, without a server. */
export function addMigrate(storage: Command): void {
  const command = withDynamicFolder(
    storage
      .command('migrate')
      .description('copy pages from one store to another; run again, it goes on')
      .argument('<from>', 'the backend that is read, such as file')
      .argument('<to>', 'the backend that is written'),
  )
    .option('--from-config <json|@file>', 'settings of the first; a file is .json, .yaml or .toml')
    .option('--to-config <json|@file>', 'settings of the second')
    .option('--rate <size>', 'bytes in a second at most, such as 50MB (default: no bound)', parseRate);
  withModel(command)
    .option('--verify', 'read every page back, also where it is there already')
    .option('--json', 'print JSON')
    .action(async (from: string, to: string, flags: MigrateFlags) => {
      const source = await nameStore(from, '--from-config', flags.fromConfig, flags);
      const target = await nameStore(to, '--to-config', flags.toConfig, flags);
      if (from === to && isDeepStrictEqual(source.own, target.own))
        throw failure('bad_option', { reason: 'storage migrate: both stores are the same one.' });
      if (!source.driver.list) throw cannotList(source.driver);
      const report = await interruptible((signal) => run(source, target, flags, signal));
      if (flags.json) printJson(report);
      else print(report);
      if (report.failedPages > 0 || report.problem !== null) endedBadly();
    });
}

function parseRate(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined || bytes === 0)
    throw new InvalidArgumentError('It must be a number of bytes or a text such as 50MB, and more than 0.');
  return bytes;
}

function run(
  source: NamedStore,
  target: NamedStore,
  { rate, model, verify }: MigrateFlags,
  signal: AbortSignal,
): Promise<Report> {
  return withOpenStore(source, signal, ({ values: from }) =>
    withOpenStore(target, signal, async ({ values: to }) => {
      const began = performance.now();
      const line = new WorkLine(`migrate ${from.name} to ${to.name}`);
      const onProgress = line.update.bind(line);
      const counting = line.expect(from, model);
      const options = { clock: systemClock, signal, rate, model, verify, onProgress };
      const report = await migrate(from, to, options).finally(() => line.end());
      await counting;
      return {
        from: source.backend,
        to: target.backend,
        ...report,
        milliseconds: performance.now() - began,
        usage: to.usage?.() ?? null,
      };
    }),
  );
}

function print(report: Report): void {
  const { bytes, milliseconds, reasons, failed, failedPages } = report;
  const table = new Table({ head: ['pages', 'count', 'detail'], style: PLAIN });
  const copied = `${amount(bytes)} in ${duration(milliseconds)}, ${speed(bytes, milliseconds)}`;
  table.push(
    ['copied', report.copied, copied],
    ['already there', report.alreadyThere, ''],
    ['damaged, left behind', report.damaged, counts(reasons)],
    ['gone meanwhile', report.gone, ''],
    ['failed', failedPages, ''],
  );
  const lines = [
    table.toString(),
    `values that are no pages: ${report.others}`,
    ...(report.usage ? [`in use in the target, as it says: ${usageText(report.usage)}`] : []),
    ...failed.map(({ key, reason }) => `failed: ${key}: ${reason}`),
    ...(failedPages > failed.length ? [`failed: ${failedPages - failed.length} more`] : []),
    ...(report.problem === null ? [] : [`not finished: ${report.problem}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
