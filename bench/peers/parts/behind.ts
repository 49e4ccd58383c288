import type { Part } from '../part.ts';
import { FILES, tierkv } from '../peer.ts';
import { commands, serverTable, speeds } from '../rows.ts';

const COUNTS = [1, 4];
const LIMITS = '--max-total-tokens 8192 --context-length 8192';

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
  headlines: [],
  show: (reports) =>
    reports
      .flatMap((report) => {
        const columns = (['prefill', 'decode'] as const).flatMap((kind) => speeds(report, kind, COUNTS));
        return [serverTable(report, columns), commands(report)];
      })
      .join('\n\n'),
};
