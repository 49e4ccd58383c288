import type { BenchReport, Phase, ServerSummary } from '../../src/bench/report.ts';
import { rounded } from '../../src/bench/statistics.ts';
import { table } from '../support/page.ts';
import type { Headline } from './part.ts';

/** The part of a workload by its name; undefined where a server did not come to it. */
export function phaseOf({ phases }: ServerSummary, name: string): Phase | undefined {
  return phases.find((phase) => phase.name === name);
}

/** A column of a table of servers: what it says of each. */
export interface Column {
  head: string;
  of: (server: ServerSummary) => string | number;
}

/** A row for each server. */
export function serverTable({ servers }: BenchReport, columns: readonly Column[]): string {
  const head = ['', ...columns.map((column) => column.head)];
  return table(
    head,
    servers.map((server) => [server.label, ...columns.map(({ of }) => of(server))]),
  );
}

/** A figure of one part of a workload; `–` where there is none. */
export function figure(
  phase: string,
  head: string,
  of: (phase: Phase) => number | null | undefined,
  digits = 1,
): Column {
  return { head, of: (server) => shown(figureOf(server, phase, of), digits) };
}

/** How many times more, or less, of a figure this server has than the one that is compared with. */
export function ratio(
  report: BenchReport,
  {
    phase,
    head,
    of,
    to,
  }: { phase: string; head: string; of: (phase: Phase) => number | null | undefined; to: string },
): Column {
  const compared = report.servers.find(({ label }) => label === to);
  const other = compared && figureOf(compared, phase, of);
  return {
    head,
    of: (server) => {
      const value = figureOf(server, phase, of);
      return shown(value === undefined || !other ? undefined : value / other, 2);
    },
  };
}

/** Tokens of prompts a second in one part of a workload, for the table of all parts. */
export function promptSpeed(what: string, phase: string, call = 0): Headline {
  const of = (server: ServerSummary) => figureOf(server, phase, (one) => one.promptTokensPerSecond);
  return { what: `${what}: prompt tokens/s`, of, better: 'more', call };
}

export const SPEEDS = {
  prefill: (phase: Phase) => phase.promptTokensPerSecond,
  decode: (phase: Phase) => phase.outputTokensPerSecond,
};

/** Tokens a second of the workload `steady`, each beside the first server's. */
export function speeds(report: BenchReport, kind: keyof typeof SPEEDS, counts: readonly number[]): Column[] {
  const [of, to] = [SPEEDS[kind], report.servers[0]?.label ?? ''];
  return counts.flatMap((count) => {
    const phase = `${kind}, ${count} at a time`;
    return [
      figure(phase, `${kind} tok/s, ${count}`, of),
      ratio(report, { phase, head: 'of the first', of, to }),
    ];
  });
}

/** A share of one part of a workload, such as of prompt tokens. */
export function share(phase: string, head: string, of: (phase: Phase) => number | null | undefined): Column {
  return { head, of: (server) => percent(figureOf(server, phase, of)) };
}

/** The share of prompt tokens that were not computed. */
export function reused({ computedTokens, promptTokens }: Phase): number | undefined {
  return computedTokens === null || promptTokens === 0 ? undefined : 1 - computedTokens / promptTokens;
}

/** What that share would be with a cache that never forgets. */
export function reusable({ leastTokens, promptTokens }: Phase): number | undefined {
  return promptTokens === 0 ? undefined : 1 - leastTokens / promptTokens;
}

export function percent(value: number | null | undefined): string {
  return value === undefined || value === null ? '–' : `${rounded(100 * value)} %`;
}

/** A figure of one part of a workload; undefined where a server has none. */
export function figureOf(
  server: ServerSummary,
  name: string,
  of: (phase: Phase) => number | null | undefined,
): number | undefined {
  const phase = phaseOf(server, name);
  // Of requests that all failed there is nothing to say.
  if (!phase || (phase.requests > 0 && phase.failed === phase.requests)) return undefined;
  return of(phase) ?? undefined;
}

function shown(value: number | undefined, digits: number): string | number {
  return value === undefined || !Number.isFinite(value) ? '–' : rounded(value, digits);
}

/** Of rounds that were added up, one. */
export function eachRound(
  { repeat }: BenchReport,
  of: (phase: Phase) => number | null | undefined,
): (phase: Phase) => number | undefined {
  return (phase) => {
    const sum = of(phase);
    return sum === null || sum === undefined ? undefined : sum / repeat;
  };
}

/** What readers of the tables must know of requests that failed. */
function failures({ servers }: BenchReport): string[] {
  return servers.flatMap(({ label, phases }) =>
    phases
      .filter(({ failed }) => failed > 0)
      .map(({ name, failed, requests }) => `${label}, ${name}: ${failed} of ${requests} requests failed.`),
  );
}

/** What was run, and what of it failed. */
export function commands(report: BenchReport): string {
  const { servers, workload, options } = report;
  const lines = servers.map(({ label, command }) => `# ${label}\n${command}`);
  const words = Object.entries(options).map(([name, value]) => `--${kebab(name)} ${String(value)}`);
  const block = `\`\`\`sh\n${[...lines, `# the load\ntierkv bench ${workload} ${words.join(' ')}`].join('\n')}\n\`\`\``;
  return [...failures(report), block].join('\n\n');
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
