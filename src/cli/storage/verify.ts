import path from 'node:path';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { defaultFolder } from '../../storage/drivers/file/options.ts';
import { type VerifyReport, verifyPages } from '../../storage/drivers/file/verify.ts';
import { ProgressLine } from '../progress-line.ts';

/** `tierkv storage verify`: the pages on disk, without a server. */
export function addVerify(storage: Command): void {
  storage
    .command('verify')
    .description('check every stored page, and remove what is damaged or left over')
    .option('--path <folder>', 'the folder of the file backend (default: where it keeps pages unless told)')
    .option('--json', 'print JSON')
    .action(async (flags: { path?: string; json?: true }) => {
      const progress = new ProgressLine('checking pages');
      const folder = path.resolve(flags.path ?? defaultFolder());
      const report = await verifyPages(folder, (fraction) => progress.update(fraction)).finally(() =>
        progress.end(),
      );
      if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else print(report);
      if (report.failed.length > 0) process.exitCode = 1;
    });
}

function print(report: VerifyReport): void {
  const steps = new Table({ head: ['step', 'count', 'ms'], style: { head: [], border: [] } });
  for (const { name, count, milliseconds } of report.steps)
    steps.push([name, count, milliseconds.toFixed(1)]);
  const reasons = Object.entries(report.reasons).map(([reason, count]) => `${reason} ${count}`);
  const good = report.pages - Object.values(report.reasons).reduce((sum, count) => sum + count, 0);
  const lines = [
    steps.toString(),
    `${report.folder}: good pages ${good}, ${(report.goodBytes / 1e6).toFixed(1)} MB`,
    `removed: damaged pages ${report.removed}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}, ` +
      `temporary files ${report.temporaryFilesRemoved}, empty folders ${report.emptyFoldersRemoved}`,
    `left alone: files in use ${report.temporaryFilesInUse}, files that are no pages ${report.foreignFiles}`,
    ...report.failed.map((problem) => `failed: ${problem.path}: ${problem.reason}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
