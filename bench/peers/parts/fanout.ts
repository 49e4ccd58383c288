import type { ServerSummary } from '../../../src/bench/report.ts';
import type { Part } from '../part.ts';
import { llamaServer, tierkv } from '../peer.ts';
import { commands, eachRound, figure, figureOf, phaseOf, ratio, serverTable } from '../rows.ts';

const PHASES = ['under a new prefix', 'under the same prefix'];

/** Many short prompts at once under one long prefix. */
export const fanout: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'fanout',
      options: [
        '--prefix-length',
        '2048',
        '--branches',
        '8',
        '--branch-length',
        '32',
        '--output-length',
        '32',
      ],
      peers: [
        tierkv('TierKV, a context of 8k', '--max-total-tokens 8192 --context-length 8192'),
        llamaServer('defaults', ''),
        llamaServer('1 slot', '-np 1 -c 8192'),
        llamaServer('8 slots, a context of 8k', '-np 8 -c 8192'),
        llamaServer('8 slots, a context of 32k', '-np 8 -c 32768'),
      ],
    },
  ],
  headlines: PHASES.map((phase) => ({
    what: `eight requests at once ${phase} of 2,048 tokens: seconds`,
    of: (server, report) =>
      figureOf(
        server,
        phase,
        eachRound(report, (one) => one.seconds),
      ),
    better: 'less',
  })),
  show: (reports) =>
    reports
      .flatMap((report) => {
        const to = report.servers[0]?.label ?? '';
        const tables = PHASES.map((phase) => {
          const seconds = ratio(report, { phase, head: 'of TierKV', of: (one) => one.seconds, to });
          const columns = [
            { head: 'failed', of: (server: ServerSummary) => phaseOf(server, phase)?.failed ?? '–' },
            figure(
              phase,
              'computed tokens',
              eachRound(report, (one) => one.computedTokens),
              0,
            ),
            figure(
              phase,
              'the least',
              eachRound(report, (one) => one.leastTokens),
              0,
            ),
            figure(
              phase,
              'seconds',
              eachRound(report, (one) => one.seconds),
            ),
            seconds,
            figure(phase, 'first token p50, ms', (one) => one.ttft?.p50, 0),
          ];
          return `Eight branches at once ${phase}:\n\n${serverTable(report, columns)}`;
        });
        return [...tables, commands(report)];
      })
      .join('\n\n'),
};
