import { table } from '../../support/page.ts';
import type { Part } from '../part.ts';
import { filesWith, llamaServer, tierkv } from '../peer.ts';
import { commands, percent, phaseOf } from '../rows.ts';

/** Turns here are of 64 tokens, less than what is fetched from a storage unless told otherwise. */
const FILES = filesWith({ prefetch_threshold: 64 });

/** Every way in which prompts have a beginning in common. */
export const situations: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'situations',
      options: ['--system-length', '256', '--turn-length', '64', '--output-length', '16'],
      peers: [
        llamaServer('defaults', ''),
        llamaServer('8 slots', '-np 8 -c 32768'),
        tierkv('TierKV', `--max-total-tokens 16384 --context-length 8192 ${FILES}`),
      ],
    },
  ],
  headlines: [],
  show: (reports) =>
    reports
      .flatMap((report) => {
        const names = new Set(report.servers.flatMap(({ phases }) => phases.map(({ name }) => name)));
        // Where nothing can be reused there is nothing to compare.
        const compared = [...names].filter((name) =>
          report.servers.some((server) => typeof phaseOf(server, name)?.reuse === 'number'),
        );
        const head = ['of what can be reused', ...report.servers.map(({ label }) => label)];
        const rows = compared.map((name) => [
          name,
          ...report.servers.map((server) => percent(phaseOf(server, name)?.reuse)),
        ]);
        return [table(head, rows), commands(report)];
      })
      .join('\n\n'),
};
