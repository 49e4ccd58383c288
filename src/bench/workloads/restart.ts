import { failure } from '../../shared/errors.ts';
import { atMost } from '../at-most.ts';
import type { Bench, Workload } from '../workload.ts';

export interface RestartOptions {
  clients: number;
  /** Turns of each conversation before the ones that are compared. */
  rounds: number;
  requestLength: number;
  /** Of the turns that are compared; undefined for the same. */
  nextLength: number | undefined;
  outputLength: number;
  parallel: number;
  systemLength: number;
}

type Histories = (readonly number[] | undefined)[];

/** Conversations, their next turns, a restart of the server, and their next turns again. */
export const restart: Workload<RestartOptions> = {
  name: 'restart',
  about: 'the next turns of conversations before a restart of the server and after it',
  needsRestart: true,
  async run(bench, options) {
    if (!bench.restart)
      throw failure('bad_option', { reason: 'bench restart: only a server of --server is restarted.' });
    bench.expect(options.clients * (options.rounds + 2));
    const system = bench.text('system', options.systemLength);
    let histories: Histories = Array.from({ length: options.clients }, () => system);
    for (let round = 0; round < options.rounds; round++)
      histories = await turn(bench, options, histories, round, 'first turns');
    const next = { ...options, requestLength: options.nextLength ?? options.requestLength };
    histories = await turn(bench, next, histories, options.rounds, 'next turns');
    await bench.restart();
    await turn(bench, next, histories, options.rounds + 1, 'after the restart');
  },
};

async function turn(
  bench: Bench,
  { requestLength, outputLength, parallel }: RestartOptions,
  histories: Histories,
  round: number,
  name: string,
): Promise<Histories> {
  const part = bench.part(name);
  return atMost(parallel, [...histories.entries()], async ([client, history]) => {
    // It had no answer.
    if (!history) return undefined;
    const said = bench.text(`turn ${round} of ${client}`, requestLength);
    const reply = await part.ask({ prompt: [...history, ...said], output: outputLength });
    return reply?.history;
  });
}
