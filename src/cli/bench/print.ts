import Table from 'cli-table3';
import type { BenchReport, Phase, ServerSummary } from '../../bench/report.ts';
import { PREPARATION, situations } from '../../bench/workloads/situations.ts';
import { oneLine } from '../server-client.ts';
import { amount, PLAIN } from '../storage/format.ts';

/** What was measured, for people: tables, and what else is to be said. */
export function printed(report: BenchReport): string {
  const rows = rowsOf(report);
  const tables =
    report.workload === situations.name ? [reuseTable(rows)] : [timesTable(rows), tokensTable(rows)];
  return [...(rows.length > 0 ? tables : []), ...notes(report)].join('\n');
}

interface Row {
  label: string;
  phase: Phase;
}

/** Part after part, so that servers stand below each other. */
function rowsOf({ servers }: BenchReport): Row[] {
  const names = new Set(servers.flatMap(({ phases }) => phases.map(({ name }) => name)));
  return [...names].flatMap((name) =>
    servers.flatMap(({ label, phases }) =>
      phases.filter((phase) => phase.name === name).map((phase) => ({ label: oneLine(label), phase })),
    ),
  );
}

const TIMES = ['ttft', 'interToken', 'endToEnd'] as const;
const TIME_NAMES = ['to the first token', 'between tokens', 'to the end'];
const STATISTICS = ['mean', 'p50', 'p90', 'p99'] as const;

function timesTable(rows: readonly Row[]): string {
  const table = new Table({ head: ['part', 'server', 'ms', ...STATISTICS], style: PLAIN });
  for (const { label, phase } of rows) {
    const columns = STATISTICS.map((name) => TIMES.map((time) => shown(phase[time]?.[name])));
    table.push([phase.name, label, ...[TIME_NAMES, ...columns].map((lines) => lines.join('\n'))]);
  }
  return table.toString();
}

function tokensTable(rows: readonly Row[]): string {
  const head = ['part', 'server', 'requests', 'failed', 'prompt tok/s', 'output tok/s'];
  const tiers = rows.some(({ phase }) => phase.cachedByTier);
  const table = new Table({ head: [...head, ...REUSE, ...(tiers ? ['L1 / L2 / L3'] : [])], style: PLAIN });
  for (const { label, phase } of rows) {
    const speeds = [phase.promptTokensPerSecond, phase.outputTokensPerSecond].map((speed) => shown(speed));
    const counts = [phase.name, label, phase.requests, phase.failed];
    table.push([...counts, ...speeds, ...reuseCells(phase), ...(tiers ? [tierShares(phase)] : [])]);
  }
  return table.toString();
}

/** One line for each situation. */
function reuseTable(rows: readonly Row[]): string {
  const table = new Table({ head: ['situation', 'server', ...REUSE], style: PLAIN });
  for (const { label, phase } of rows)
    if (phase.name !== PREPARATION) table.push([phase.name, label, ...reuseCells(phase)]);
  return table.toString();
}

const REUSE = ['computed', 'at least', 'reused'];

function reuseCells({ computedTokens, leastTokens, reuse }: Phase): (string | number)[] {
  return [computedTokens ?? '-', leastTokens, reuse === null ? '-' : `${(100 * reuse).toFixed(1)} %`];
}

/** Of the tokens that were cached. */
function tierShares({ cachedByTier: tiers }: Phase): string {
  if (!tiers) return '-';
  const all = tiers.device + tiers.host + tiers.storage;
  const share = (tokens: number) => `${all === 0 ? 0 : Math.round((100 * tokens) / all)}`;
  return `${share(tiers.device)} / ${share(tiers.host)} / ${share(tiers.storage)} %`;
}

function shown(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : value.toFixed(1);
}

function* notes({ servers, runs }: BenchReport): Generator<string> {
  for (const server of servers) yield* notesOf(server);
  for (const { label, round, findings } of runs)
    for (const [name, value] of Object.entries(findings))
      yield `${oneLine(label)}, round ${round}: ${name}: ${value}`;
  for (const { label, round, problem, lastLines } of runs) {
    if (problem === null) continue;
    yield `${oneLine(label)}, round ${round}: ${oneLine(problem)}${lastLines.length > 0 ? ' It wrote last:' : ''}`;
    for (const line of lastLines) yield `  ${oneLine(line)}`;
  }
}

function* notesOf({ label, exactTokens, peakMemoryBytes, phases }: ServerSummary): Generator<string> {
  const name = oneLine(label);
  if (peakMemoryBytes !== null) yield `${name}: ${amount(peakMemoryBytes)} of memory at most`;
  if (exactTokens === false)
    yield `${name}: does not tell all of its tokens; the least that had to be computed is an estimate`;
  for (const phase of phases) {
    for (const [reason, count] of Object.entries(phase.failures))
      yield `${name}, ${phase.name}: ${count} failed: ${oneLine(reason)}`;
    if (phase.shortAnswers > 0)
      yield `${name}, ${phase.name}: ${phase.shortAnswers} answers are shorter than they were to be`;
    if (phase.computedTokens !== null && phase.computedTokens < phase.leastTokens && exactTokens)
      yield `${name}, ${phase.name}: it had some of the prompts before; another --seed makes new ones`;
  }
}
