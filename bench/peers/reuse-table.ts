import type { BenchReport, Phase } from '../../src/bench/report.ts';
import { figure, ratio, reusable, reused, serverTable, share } from './rows.ts';

/** What each server reused of the prompts of one part of a workload, and how quickly it answered; TierKV comes last. */
export function reuseTable(report: BenchReport, phase: string): string {
  const to = report.servers.at(-1)?.label ?? '';
  const of = ({ promptTokensPerSecond }: Phase) => promptTokensPerSecond;
  return serverTable(report, [
    share(phase, 'of the prompts reused', reused),
    share(phase, 'reusable', reusable),
    figure(phase, 'prompt tokens/s', of),
    ratio(report, { phase, head: 'of TierKV', of, to }),
    figure(phase, 'first token p50, ms', ({ ttft }) => ttft?.p50, 0),
    figure(phase, 'p99, ms', ({ ttft }) => ttft?.p99, 0),
  ]);
}
