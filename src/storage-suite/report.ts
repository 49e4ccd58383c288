import type { Capabilities } from '../storage/driver.ts';
import { GROUPS, type GroupName } from './options.ts';

/** What became of one case. */
export type CaseReport = {
  group: GroupName;
  name: string;
  milliseconds: number;
} & (
  | { outcome: 'passed' }
  /** `reason` is a sentence. */
  | { outcome: 'skipped'; reason: string }
  /** What was thrown. */
  | { outcome: 'failed'; error: unknown }
);

/** What became of a driver in the suite. */
export interface SuiteReport {
  /** As the options have it. */
  name: string;
  /** As it calls itself; undefined when none could be made. */
  driver: { name: string; capabilities: Readonly<Capabilities> } | undefined;
  cases: readonly CaseReport[];
  /** Cases. */
  passed: number;
  failed: number;
  skipped: number;
  milliseconds: number;
}

/** The report as a page of text: totals, capabilities, a line per group, and what failed. Ends with a line break. */
export function formatReport(report: SuiteReport): string {
  const { name, driver, passed, failed, skipped, milliseconds } = report;
  const seconds = (milliseconds / 1000).toFixed(1);
  const lines = [
    `${name}: ${failed === 0 ? 'keeps the contract' : 'does not keep the contract'}`,
    `${passed} passed, ${failed} failed, ${skipped} skipped, in ${seconds} s`,
    driver ? `driver '${driver.name}': ${describe(driver.capabilities)}` : 'no driver could be made',
    '',
    ...table(report.cases),
    ...failures(report.cases),
  ];
  return `${lines.join('\n')}\n`;
}

function describe({ batch, largestValue, list, ttl }: Capabilities): string {
  const stay = ttl === undefined ? 'values stay' : `values expire after ${ttl} s`;
  return `batch ${batch}, largest value ${largestValue} bytes, ${list ? 'lists' : 'does not list'}, ${stay}`;
}

function table(cases: readonly CaseReport[]): string[] {
  const rows = GROUPS.flatMap((group) => {
    const own = cases.filter((each) => each.group === group);
    if (own.length === 0) return [];
    const count = (outcome: CaseReport['outcome']) => own.filter((each) => each.outcome === outcome).length;
    const time = own.reduce((sum, each) => sum + each.milliseconds, 0).toFixed(0);
    const reasons = new Set(own.flatMap((each) => (each.outcome === 'skipped' ? [each.reason] : [])));
    return [[group, count('passed'), count('failed'), count('skipped'), time, [...reasons].join(' ')]];
  });
  return [['group', 'passed', 'failed', 'skipped', 'ms', 'why skipped'], ...rows].map(([group, ...rest]) => {
    const reasons = rest.pop();
    return `${String(group).padEnd(12)}${rest.map((cell) => String(cell).padStart(9)).join('')}  ${reasons}`.trimEnd();
  });
}

function failures(cases: readonly CaseReport[]): string[] {
  const failed = cases.flatMap((each) => (each.outcome === 'failed' ? [each] : []));
  if (failed.length === 0) return [];
  const lines = failed.flatMap(({ group, name, error }) => [`${group}: ${name}`, `    ${inLine(error)}`]);
  return ['', 'failed:', ...lines];
}

/** An error in one line. */
function inLine(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').trim();
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
