import type { Phase, ServerSummary } from '../../../src/bench/report.ts';
import { rounded } from '../../../src/bench/statistics.ts';
import type { Call, Part } from '../part.ts';
import { FILES, llamaServer, tierkv } from '../peer.ts';
import { commands, eachRound, figure, phaseOf, ratio, serverTable } from '../rows.ts';

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

export const restart: Part = {
  rounds: 1,
  calls: [restarted(1024, 8), restarted(4096, 4)],
  show: (reports) =>
    reports
      .flatMap((report) => {
        const median = (phase: string, head: string) => figure(phase, head, (one) => one.ttft?.p50, 0);
        const after = 'after the restart';
        const [first, to] = [(one: Phase) => one.ttft?.p50, report.servers.at(-1)?.label ?? ''];
        const shown = serverTable(report, [
          median('first turns', 'first turn, ms'),
          median('next turns', 'next turn, ms'),
          median(after, 'after a restart, ms'),
          { head: 'of the next turn', of: (server) => slowdown(server, after, 'next turns') },
          ratio(report, { phase: after, head: 'of TierKV', of: first, to }),
          figure(
            after,
            'computed tokens',
            eachRound(report, (one) => one.computedTokens),
            0,
          ),
          figure(
            after,
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
