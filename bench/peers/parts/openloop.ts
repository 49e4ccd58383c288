import type { BenchReport, ServerSummary } from '../../../src/bench/report.ts';
import { percentile, rounded } from '../../../src/bench/statistics.ts';
import type { Part } from '../part.ts';
import { llamaServer, tierkv } from '../peer.ts';
import { commands, serverTable } from '../rows.ts';

const FINDING = 'sustained requests per second';

/** Requests under one system prompt that come when they come, at the highest rate that a server holds. */
export const openloop: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'openloop',
      options:
        '--rate 0.5 --requests 20 --system-length 512 --prompt-length 128 --output-length 32 --ttft-bound 2000'.split(
          ' ',
        ),
      peers: [
        llamaServer('defaults', ''),
        llamaServer('8 slots, a context of 8k', '-np 8 -c 8192'),
        tierkv('TierKV', '--max-total-tokens 8192 --context-length 8192'),
      ],
    },
  ],
  headlines: [
    {
      what: 'under one system prompt, first tokens within 2 s (p99): requests/s',
      of: (server, report) => median(report, server.label),
      better: 'more',
    },
  ],
  show: (reports) =>
    reports
      .flatMap((report) => {
        const held = (server: ServerSummary) => median(report, server.label);
        const own = report.servers.at(-1);
        const compared = own && held(own);
        const columns = [
          { head: 'requests/s', of: (server: ServerSummary) => held(server) ?? '–' },
          {
            head: 'of TierKV',
            of: (server: ServerSummary) => {
              const value = held(server);
              return value === undefined || !compared ? '–' : rounded(value / compared, 2);
            },
          },
        ];
        return [serverTable(report, columns), commands(report)];
      })
      .join('\n\n'),
};

function median({ runs }: BenchReport, label: string): number | undefined {
  const found = runs.flatMap((run) => (run.label === label ? (run.findings[FINDING] ?? []) : []));
  return found.length === 0 ? undefined : percentile(found, 0.5);
}
