import os from 'node:os';
import Table from 'cli-table3';
import { type Command, Option } from 'commander';
import { inspectLibrary } from '../engine/llama/inspect-library.ts';
import {
  findLibrary,
  GPU_CHOICES,
  type GpuChoice,
  installedKinds,
  PACKAGE_VERSION,
} from '../engine/llama/library.ts';
import { modelsFolder } from '../models/store.ts';
import { toFailure } from '../shared/errors.ts';
import { VERSION } from '../shared/version.ts';

/** `tierkv doctor`: what this machine has, what is missing, and what to do about it. */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('show hardware, the llama.cpp build in use, and what is missing')
    .addOption(new Option('--gpu <kind>', 'the build to look at').choices(GPU_CHOICES).default('auto'))
    .option('--json', 'print JSON')
    .action((flags: { gpu: GpuChoice; json?: boolean }) => {
      const report = examine(flags.gpu);
      if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else print(report);
      if (report.problems.length > 0) process.exitCode = 1;
    });
}

interface Report {
  tierkv: string;
  node: string;
  platform: string;
  cpu: string;
  cores: number;
  memory: { totalBytes: number; freeBytes: number };
  modelsFolder: string;
  builds: { kind: string; packageName: string; installed: boolean }[];
  library: ReturnType<typeof inspectLibrary> | undefined;
  problems: string[];
}

function examine(gpu: GpuChoice): Report {
  const report: Report = {
    tierkv: VERSION,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memory: { totalBytes: os.totalmem(), freeBytes: os.freemem() },
    modelsFolder: modelsFolder(),
    builds: installedKinds(),
    library: undefined,
    problems: [],
  };
  try {
    report.library = inspectLibrary(findLibrary(gpu));
    const { kind, devices } = report.library;
    if (kind !== 'off' && !devices.some((device) => device.type === 'gpu')) {
      report.problems.push(`The ${kind} build is installed, but it finds no GPU.`);
    }
  } catch (error) {
    report.problems.push(toFailure(error).message);
  }
  return report;
}

function print(report: Report): void {
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(
    ['TierKV', report.tierkv],
    ['Node.js', report.node],
    ['platform', report.platform],
    ['CPU', `${report.cpu}, ${report.cores} cores`],
    ['memory', `${gib(report.memory.freeBytes)} free of ${gib(report.memory.totalBytes)}`],
    ['models folder', report.modelsFolder],
  );
  if (report.library) {
    const { version, source, folder, devices, cpuFeatures, maxSequences } = report.library;
    table.push(
      ['llama.cpp', `${version} from ${source}`],
      ['its folder', folder],
      ['CPU features', cpuFeatures.join(' ')],
      ['sequence ids', String(maxSequences)],
    );
    for (const device of devices) {
      table.push([
        `device ${device.name}`,
        `${device.description} (${device.type}, ${gib(device.totalBytes)})`,
      ]);
    }
  }
  for (const { kind, packageName, installed } of report.builds) {
    table.push([
      `build ${kind === 'off' ? 'cpu' : kind}`,
      installed ? 'installed' : `npm install ${packageName}@${PACKAGE_VERSION}`,
    ]);
  }
  process.stdout.write(`${table.toString()}\n`);
  for (const problem of report.problems) process.stdout.write(`problem: ${problem}\n`);
  if (report.problems.length === 0) process.stdout.write('No problems found.\n');
}
