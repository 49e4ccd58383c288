import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Compile } from 'typebox/compile';
import { expect } from 'vitest';
import { BenchReport } from '../../src/bench/report.ts';
import { temporaryFolder } from '../storage/support/folders.ts';
import { type Ended, tierkv } from './command.ts';
import { MAIN, NODE } from './server.ts';

const PAGE = 16;

/** Flags of servers that are measured. */
export const LIMITS = `--page-size ${PAGE} --max-running-requests 16 --context-length 2048 --max-total-tokens 8192`;
export const KEEPING = `${LIMITS} --hicache-keep-on-device 8192`;
export const STORING = `${KEEPING} --hicache-storage-backend file --hicache-storage-backend-extra-config '{"path": "{dir}", "min_free_space": 0, "prefetch_threshold": ${PAGE}}'`;

/** Of a benchmark that starts several servers, on a machine that does other work. */
const LIMIT_S = 170;

/** Of what can be reused. */
export const LEAST_REUSE = 0.97;

/** Sizes of the situations. */
export const SMALL = '--system-length 200 --turn-length 40 --output-length 8';

/** A command for `--server`. */
export function serving(flags: string): string {
  return `${NODE} ${MAIN} serve --port {port} --threads 1 --log-level warn ${flags}`;
}

export interface Measured extends Ended {
  report: BenchReport;
}

/** What `tierkv bench …` writes. It leaves nothing else. */
export async function bench(workload: string, options: string, ...servers: string[]): Promise<Measured> {
  const [file, TMPDIR] = [path.join(await temporaryFolder(), 'report.json'), await temporaryFolder()];
  const flags = [...options.split(' ').filter(Boolean), ...servers];
  const ended = await tierkv(['bench', workload, ...flags, '--json', file], { TMPDIR }, LIMIT_S);
  expect(await readdir(TMPDIR)).toEqual([]);
  const text = await readFile(file, 'utf8').catch(() => expect.unreachable(ended.stderr));
  return { ...ended, report: reportIn(text) };
}

/** The same, which must have succeeded. */
export async function goodBench(workload: string, options: string, ...servers: string[]): Promise<Measured> {
  const measured = await bench(workload, options, ...servers);
  expect(measured, measured.stdout).toMatchObject({ code: 0, stderr: '' });
  return measured;
}

const schema = Compile(BenchReport);

export function reportIn(text: string): BenchReport {
  const report: unknown = JSON.parse(text);
  if (!schema.Check(report)) expect.unreachable(JSON.stringify(schema.Errors(report)));
  return report;
}

/** The figures of a server by the names of the parts. */
export function phasesOf({ report }: Measured, server = 0) {
  return Object.fromEntries(report.servers[server]!.phases.map((phase) => [phase.name, phase]));
}

/** Lines of the table of situations. */
export function situationsIn({ stdout }: Measured): string[] {
  return stdout.split('\n').filter((line) => /%|│ -/.test(line));
}
