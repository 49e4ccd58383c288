import type { Part } from '../part.ts';
import { FILES, llamaServer, tierkv } from '../peer.ts';
import { reuseTable } from '../reuse-table.ts';
import { commands, promptSpeed } from '../rows.ts';

const PHASES = ['first questions', 'later questions'];

/** Documents of 16,384 tokens in all, where context and host memory hold 12,288. */
export const longdoc: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'longdoc',
      options:
        '--documents 16 --document-length 1024 --questions 4 --question-length 32 --output-length 16 --parallel 2'.split(
          ' ',
        ),
      peers: [
        llamaServer('defaults, a context of 8k', '-c 8192 --cache-ram 96'),
        llamaServer('4 slots, a context of 8k', '-np 4 -c 8192 --cache-ram 96'),
        tierkv('TierKV', `--max-total-tokens 8192 --context-length 8192 --hicache-size 0.1007 ${FILES}`),
      ],
    },
  ],
  headlines: [promptSpeed('later questions about long documents', 'later questions')],
  show: (reports) =>
    reports
      .flatMap((report) => [
        ...PHASES.map((phase) => `The ${phase}:\n\n${reuseTable(report, phase)}`),
        commands(report),
      ])
      .join('\n\n'),
};
