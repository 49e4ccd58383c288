import type { Phase } from '../../../src/bench/report.ts';
import type { Part } from '../part.ts';
import { FILES, tierkv } from '../peer.ts';
import { commands, figure, ratio, serverTable } from '../rows.ts';

const COUNTS = [1, 4];
const LIMITS = '--max-total-tokens 8192 --context-length 8192';

const SPEEDS = [
  ['prefill', (phase: Phase) => phase.promptTokensPerSecond],
  ['decode', (phase: Phase) => phase.outputTokensPerSecond],
] as const;

/** What caching costs where nothing comes again. */
export const behind: Part = {
  rounds: 3,
  calls: [
    {
      workload: 'steady',
      options: ['--parallel', [2, ...COUNTS].join(), '--prompt-length', '512', '--output-length', '96'],
      peers: [
        tierkv('TierKV, no caching', `${LIMITS} --disable-radix-cache`),
        tierkv('TierKV, writing all to files', `${LIMITS} ${FILES}`),
      ],
    },
  ],
  show: (reports) =>
    reports
      .flatMap((report) => {
        const to = report.servers[0]?.label ?? '';
        const columns = SPEEDS.flatMap(([kind, of]) =>
          COUNTS.flatMap((count) => {
            const phase = `${kind}, ${count} at a time`;
            return [figure(phase, `${kind} tok/s, ${count}`, of), ratio(report, { phase, head: 'ratio', of, to })];
          }),
        );
        return [serverTable(report, columns), commands(report)];
      })
      .join('\n\n'),
};
