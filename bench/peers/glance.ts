import type { BenchReport } from '../../src/bench/report.ts';
import { rounded } from '../../src/bench/statistics.ts';
import { table } from '../support/page.ts';
import type { Headline, Part } from './part.ts';

const HEAD = ['', 'TierKV', 'llama-server, defaults', 'times', 'llama-server, its best flags', 'times'];

/** A part, and what was measured of it last. */
export interface MeasuredPart {
  part: Part;
  reports: readonly BenchReport[];
}

/** One table of all parts: by how many times TierKV is ahead, of the defaults and of whatever flags did best. */
export function glance(measured: readonly MeasuredPart[]): string {
  const rows = measured.flatMap(({ part, reports }) =>
    part.headlines.flatMap((headline) => {
      const report = reports[headline.call ?? 0];
      return report ? [line(headline, report)] : [];
    }),
  );
  return table(HEAD, rows);
}

function line({ what, of, better }: Headline, report: BenchReport): (string | number)[] {
  const figures = (label: string) =>
    report.servers.flatMap((server) => (server.label.startsWith(label) ? (of(server, report) ?? []) : []));
  const [own] = figures('TierKV');
  const [defaults] = figures('llama-server, defaults');
  const [best] = figures('llama-server').sort((a, b) => (better === 'more' ? b - a : a - b));
  const times = (other: number | undefined) => {
    if (!own || !other) return '–';
    return rounded(better === 'more' ? own / other : other / own, 2);
  };
  const shown = (value: number | undefined) => (value === undefined ? '–' : rounded(value));
  return [what, shown(own), shown(defaults), times(defaults), shown(best), times(best)];
}
