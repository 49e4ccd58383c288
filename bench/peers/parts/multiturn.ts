import type { Call, Part } from '../part.ts';
import { FILES, llamaServer, type Peer, tierkv } from '../peer.ts';
import { reuseTable } from '../reuse-table.ts';
import { commands, promptSpeed } from '../rows.ts';

const PHASE = 'all turns';
const EIGHT_K = '--max-total-tokens 8192 --context-length 8192';

/** How the conversations take their turns, as the options of the workload name it. */
const ORDERS = { random: 'in random order', fifo: 'one after the other, always in the same order' };
type Order = keyof typeof ORDERS;

/** Conversations whose turns mix; TierKV comes last. */
function conversations(
  what: string,
  options: string,
  peers: readonly Peer[],
  orders: readonly Order[] = ['random'],
): Part {
  const calls = orders.map(
    (order): Call => ({
      workload: 'multiturn',
      options: [...options.split(' '), '--ready-queue-policy', order],
      peers,
    }),
  );
  return {
    rounds: 1,
    calls,
    headlines: orders.map((order, call) => promptSpeed(`${what}, ${ORDERS[order]}`, PHASE, call)),
    show: (reports) =>
      reports
        .flatMap((report, i) => [
          `Turns ${ORDERS[orders[i] ?? 'random']}:`,
          reuseTable(report, PHASE),
          commands(report),
        ])
        .join('\n\n'),
  };
}

/** Under one system prompt, with memory for all of it. */
export const sharedSystem = conversations(
  'turns under one system prompt',
  '--system-length 512 --clients 12 --rounds 4 --request-length 128 --output-length 32 --parallel 4',
  [
    llamaServer('defaults', ''),
    llamaServer('a slot for each client', '-np 12 -c 24576'),
    tierkv('TierKV', EIGHT_K),
  ],
);

const CROWD = '--clients 16 --rounds 5 --request-length 256 --output-length 32 --parallel 4';

/** With more conversations than the context holds, at 8 GiB of host memory, the default of llama-server. */
export const memory8192 = conversations('turns at 8 GiB of host memory', CROWD, [
  llamaServer('defaults, a context of 8k', '-c 8192 --cache-ram 8192'),
  llamaServer('4 slots, a context of 8k', '-np 4 -c 8192 --cache-ram 8192'),
  tierkv('TierKV', `${EIGHT_K} --hicache-size 8.59 ${FILES}`),
]);

/** At 256 MiB of host memory besides the context, which the order of turns decides the use of. */
export const memory256 = conversations(
  'turns at 256 MiB',
  CROWD,
  [
    llamaServer('defaults, a context of 8k', '-c 8192 --cache-ram 256'),
    llamaServer('4 slots, a context of 8k', '-np 4 -c 8192 --cache-ram 256'),
    tierkv('TierKV', `${EIGHT_K} --hicache-size 0.268 ${FILES}`),
  ],
  ['random', 'fifo'],
);

/** Without any besides the context: what TierKV has as L2 it has less as L1. */
export const memory0 = conversations('turns without any', CROWD, [
  llamaServer('defaults, a context of 8k', '-c 8192 --cache-ram 0'),
  llamaServer('4 slots, a context of 8k', '-np 4 -c 8192 --cache-ram 0'),
  tierkv('TierKV', `--max-total-tokens 5120 --context-length 5120 --hicache-size 0.0756 ${FILES}`),
]);
