import type { Phase, ServerSummary } from '../../../src/bench/report.ts';
import { rounded } from '../../../src/bench/statistics.ts';
import type { Call, Part } from '../part.ts';
import { FILES, llamaServer, tierkv } from '../peer.ts';
import { commands, eachRound, figure, figureOf, phaseOf, ratio, serverTable } from '../rows.ts';

/** The next turn of conversations before a restart and after it, by the length of what they had said. */
function restarted(history: number, clients: number): Call {
  const lengths = `--request-length ${history} --next-length 64 --output-length 32`;
  return {
    workload: 'restart',
    options: `--clients ${clients} --rounds 1 ${lengths}`.split(' '),
    peers: [
      llamaServer('defaults', ''),
      llamaServer('a slot for each', `-np ${clients} -c 20480`),
      tierkv('TierKV', `--max-total-tokens 16384 --context-length 8192 --hicache-size 1 ${FILES}`),
    ],
  };
}

const AFTER = 'after the restart';

export const restart: Part = {
  rounds: 1,
  calls: [restarted(1024, 8), restarted(4096, 4)],
  headlines: ['1,024', '4,096'].map((length, call) => ({
    what: `the first token after a restart, with ${length} tokens before it: ms`,
    of: (server) => figureOf(server, AFTER, (one) => one.ttft?.p50),
    better: 'less',
    call,
  })),
  show: (reports) =>
    reports
      .flatMap((report) => {
        const median = (phase: string, head: string) => figure(phase, head, (one) => one.ttft?.p50, 0);
        const [first, to] = [(one: Phase) => one.ttft?.p50, report.servers.at(-1)?.label ?? ''];
        const shown = serverTable(report, [
          median('first turns', 'first turn, ms'),
          median('next turns', 'next turn, ms'),
          median(AFTER, 'after a restart, ms'),
          { head: 'of the next turn', of: (server) => slowdown(server, AFTER, 'next turns') },
          ratio(report, { phase: AFTER, head: 'of TierKV', of: first, to }),
          figure(
            AFTER,
            'computed tokens',
            eachRound(report, (one) => one.computedTokens),
            0,
          ),
          figure(
            AFTER,
            'the least',
            eachRound(report, (one) => one.leastTokens),
            0,
          ),
        ]);
        const { requestLength, clients } = report.options;
        return [`${clients} conversations of ${requestLength} tokens:\n\n${shown}`, commands(report)];
      })
      .join('\n\n'),
};

/** How many times longer the first token of a part of the workload takes than that of another one. */
function slowdown(server: ServerSummary, name: string, than: string): number | string {
  const [part, other] = [name, than].map((each) => phaseOf(server, each)?.ttft?.p50);
  return part === undefined || !other ? '–' : rounded(part / other, 2);
}
