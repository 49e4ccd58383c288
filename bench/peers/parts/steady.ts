import type { Headline, Part } from '../part.ts';
import { llamaServer, llamaServerSameLibrary, tierkv, tierkvFromNpm } from '../peer.ts';
import { commands, figureOf, SPEEDS, serverTable, speeds } from '../rows.ts';

const COUNTS = [1, 4, 8];
const EIGHT_SLOTS = '-np 8 -c 8192';
const LIMITS = '--max-total-tokens 8192 --context-length 8192 --max-running-requests 8';
/** Two at a time come first and are not shown: they warm a server up. */
const WARM_UP = 2;

const headlines = (kind: keyof typeof SPEEDS, of: string) =>
  COUNTS.map(
    (count): Headline => ({
      what: `${of}, ${count} at a time: tokens/s`,
      of: (server) => figureOf(server, `${kind}, ${count} at a time`, SPEEDS[kind]),
      better: 'more',
    }),
  );

/** What the engines do by themselves. */
export const steady: Part = {
  rounds: 1,
  calls: [
    {
      workload: 'steady',
      options: ['--parallel', [WARM_UP, ...COUNTS].join(), '--prompt-length', '512', '--output-length', '96'],
      peers: [
        llamaServer('8 slots', EIGHT_SLOTS),
        llamaServer('defaults', ''),
        llamaServerSameLibrary('8 slots, without OpenMP', EIGHT_SLOTS),
        llamaServerSameLibrary(
          '8 slots that share the context, without OpenMP',
          `${EIGHT_SLOTS} --kv-unified`,
        ),
        tierkv('TierKV, the library without OpenMP', LIMITS),
        tierkvFromNpm('TierKV, the library of the npm package', LIMITS),
      ],
    },
  ],
  headlines: [...headlines('prefill', 'prompts that never come again'), ...headlines('decode', 'answers')],
  show: (reports) =>
    reports
      .flatMap((report) => [
        serverTable(report, speeds(report, 'prefill', COUNTS)),
        serverTable(report, speeds(report, 'decode', COUNTS)),
        commands(report),
      ])
      .join('\n\n'),
};
