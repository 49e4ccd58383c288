import type { Part } from '../part.ts';
import { FILES, llamaServer, tierkv } from '../peer.ts';
import { reuseTable } from '../reuse-table.ts';
import { commands, promptSpeed } from '../rows.ts';

/** The conversations of a real trace, a twentieth as long, as fast as they are answered. */
export const replay: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'replay',
      options: '--limit 60 --scale 0.05 --parallel 4'.split(' '),
      peers: [
        llamaServer('defaults', ''),
        llamaServer('4 slots, a context of 32k', '-np 4 -c 32768'),
        tierkv('TierKV', `--max-total-tokens 32768 --context-length 32768 ${FILES}`),
      ],
    },
  ],
  headlines: [promptSpeed('a real trace, with room for all of it', 'all requests')],
  show: (reports) =>
    reports.flatMap((report) => [reuseTable(report, 'all requests'), commands(report)]).join('\n\n'),
};
