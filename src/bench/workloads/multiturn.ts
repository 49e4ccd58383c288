import { systemClock } from '../../shared/clock.ts';
import { exponential } from '../arrivals.ts';
import type { Bench, Workload } from '../workload.ts';

export const QUEUE_POLICIES = ['random', 'fifo'] as const;
type QueuePolicy = (typeof QUEUE_POLICIES)[number];

export interface MultiturnOptions {
  /** Conversations. */
  clients: number;
  /** Turns of each. */
  rounds: number;
  /** Tokens of what a user says. */
  requestLength: number;
  outputLength: number;
  /** Requests at once, at most. */
  parallel: number;
  /** Requests a second at most, on average; undefined for no bound. */
  rate: number | undefined;
  readyQueuePolicy: QueuePolicy;
  /** Tokens of a text that all conversations begin with. */
  systemLength: number;
}

/** A conversation that waits for its next turn. */
interface Ready {
  client: number;
  round: number;
  history: readonly number[];
}

/**
 * Conversations whose turns mix, with the parameters of SGLang's benchmark of the same name: whoever has its answer is
 * ready for the next turn, and the queue of those decides who asks.
 */
export const multiturn: Workload<MultiturnOptions> = {
  name: 'multiturn',
  about: 'conversations whose turns mix',
  async run(bench, options) {
    const { clients, rounds, requestLength, outputLength } = options;
    bench.expect(clients * rounds);
    const part = bench.part('all turns');
    const chance = bench.random('ready queue');
    const system = bench.text('system', options.systemLength);
    const ready: Ready[] = Array.from({ length: clients }, (_, client) => ({
      client,
      round: 0,
      history: system,
    }));
    const asking = new Set<Promise<void>>();
    const ask = async ({ client, round, history }: Ready) => {
      const said = bench.text(`turn ${round} of ${client}`, requestLength);
      const reply = await part.ask({ prompt: [...history, ...said], output: outputLength });
      // Without an answer a conversation cannot go on.
      if (reply && round + 1 < rounds) ready.push({ client, round: round + 1, history: reply.history });
    };
    while (ready.length > 0 || asking.size > 0) {
      if (ready.length === 0 || asking.size >= options.parallel) {
        await Promise.race(asking);
        continue;
      }
      const at = options.readyQueuePolicy === 'fifo' ? 0 : chance.below(ready.length);
      const [next] = ready.splice(at, 1);
      if (next) begin(asking, ask(next));
      if (options.rate !== undefined) await pause(bench, exponential(chance, options.rate));
    }
  },
};

/** Keeps it until it has ended. A rejection is met where the set is awaited. */
function begin(running: Set<Promise<void>>, work: Promise<void>): void {
  const one = work.finally(() => running.delete(one));
  running.add(one);
  one.catch(() => undefined);
}

async function pause({ signal }: Bench, milliseconds: number): Promise<void> {
  await systemClock.sleep(milliseconds, signal);
  signal.throwIfAborted();
}
