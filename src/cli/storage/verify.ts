import path from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../shared/clock.ts';
import { failure } from '../../shared/errors.ts';
import { defaultFolder } from '../../storage/drivers/file/options.ts';
import { type FolderReport, requireFolder, tidyFolder } from '../../storage/drivers/file/tidy.ts';
import { cannotList } from '../../storage/maintenance/listing.ts';
import { type StoreReport, verifyStore } from '../../storage/maintenance/verify-store.ts';
import { endedBadly, interruptible } from '../interrupt.ts';
import { printJson } from './ask.ts';
import { amount, counts, duration, speed } from './format.ts';
import { type NamedStore, nameStore, withOpenStore, withoutSecrets } from './open-store.ts';
import { type OneStoreFlags, withModel, withStore } from './options.ts';
import { WorkLine } from './work-line.ts';

interface VerifyFlags extends OneStoreFlags {
  path?: string;
  keep?: true;
  model?: string;
}

interface Report extends StoreReport {
  backend: string;
  milliseconds: number;
  /** What else is in the folder of the file backend. */
  folder?: FolderReport;
}

/** `tierkv storage verify`: the pages of a store, without a server. */
export function addVerify(storage: Command): void {
  const command = storage
    .command('verify')
    .description('check every stored page, and remove what is damaged or left over')
    .argument('[backend]', 'its name', 'file');
  withModel(withStore(command))
    .option('--path <folder>', 'the folder of the file backend (default: where it keeps pages unless told)')
    .option('--keep', 'remove nothing, only report')
    .option('--json', 'print JSON')
    .action(async (backend: string, flags: VerifyFlags) => {
      if (flags.path !== undefined && backend !== 'file')
        throw failure('bad_option', { reason: '--path is the folder of the file backend alone.' });
      const given = flags.path === undefined ? {} : { path: flags.path };
      const named = await nameStore(backend, '--extra-config', flags.extraConfig, flags, given);
      if (!named.driver.list) throw cannotList(named.driver);
      const report = await interruptible((signal) =>
        withoutSecrets(named, () => verify(named, flags, signal)),
      );
      if (flags.json) printJson(report);
      else print(report, flags.keep ?? false);
      const { failedPages, problem, folder } = report;
      if (failedPages > 0 || problem !== null || (folder?.failed.length ?? 0) > 0) endedBadly();
    });
}

async function verify(named: NamedStore, { keep, model }: VerifyFlags, signal: AbortSignal): Promise<Report> {
  const { backend, own } = named;
  const began = performance.now();
  const folder = backend === 'file' ? path.resolve(String(own.path ?? defaultFolder())) : undefined;
  if (folder !== undefined) await requireFolder(folder);
  const report = await withOpenStore(named, signal, async ({ store, values }) => {
    const line = new WorkLine(`verify ${backend}`);
    const onProgress = line.update.bind(line);
    const counting = line.expect(store, model);
    const options = { clock: systemClock, signal, keep, model, onProgress };
    const checked = await verifyStore(values, options).finally(() => line.end());
    await counting;
    return checked;
  });
  const tidied = folder === undefined ? {} : { folder: await tidyFolder(folder, keep ?? false, signal) };
  return { backend, ...report, ...tidied, milliseconds: performance.now() - began };
}

function print(report: Report, keep: boolean): void {
  const { backend, pages, goodBytes, reasons, removed, folder, failed, failedPages, milliseconds } = report;
  const damaged = Object.values(reasons).reduce((sum, count) => sum + count, 0);
  const why = damaged > 0 ? ` (${counts(reasons)})` : '';
  const also = folder
    ? `, temporary files ${folder.temporaryFilesRemoved}, empty folders ${folder.emptyFoldersRemoved}`
    : '';
  const dead = folder ? `, temporary files of dead writers ${folder.temporaryFilesDead}` : '';
  const inUse = folder ? `files in use ${folder.temporaryFilesInUse}, files that are no pages ` : '';
  const others = report.others + (folder?.foreignFiles ?? 0);
  const lines = [
    `${folder?.folder ?? backend}: good pages ${pages - damaged}, ${amount(goodBytes)}, in ${duration(milliseconds)} (${speed(goodBytes, milliseconds)})`,
    keep ? `found: damaged pages ${damaged}${why}${dead}` : `removed: damaged pages ${removed}${why}${also}`,
    `left alone: ${inUse || 'values that are no pages '}${others}`,
    ...failed.map(({ key, reason }) => `failed: ${key}: ${reason}`),
    ...(folder?.failed ?? []).map((problem) => `failed: ${problem.path}: ${problem.reason}`),
    ...(failedPages > failed.length ? [`failed: ${failedPages - failed.length} more`] : []),
    ...(report.problem === null ? [] : [`not finished: ${report.problem}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
