import { systemClock } from '../../shared/clock.ts';
import { atMost } from '../at-most.ts';
import { BLOCK, readTrace, SAMPLE_TRACE, type TraceRequest } from '../trace/trace.ts';
import { waitUntil } from '../wait-until.ts';
import type { Bench, Workload } from '../workload.ts';

export interface ReplayOptions {
  /** A file; undefined for the sample. */
  trace?: string;
  /** The first requests alone. */
  limit: number;
  /** What all lengths are multiplied with. */
  scale: number;
  /** How many times faster than the trace's clock requests come; undefined for as fast as they are answered. */
  speed: number | undefined;
  /** Requests at once, where they do not come by the clock. */
  parallel: number;
}

/** The prompts of a real trace, in its order; equal blocks are equal text. */
export const replay: Workload<ReplayOptions> = {
  name: 'replay',
  about: "the prompts of a trace in Mooncake's form",
  async run(bench, { trace, limit, scale, speed, parallel }) {
    const requests = (await readTrace(trace ?? SAMPLE_TRACE)).slice(0, limit);
    bench.expect(requests.length);
    const part = bench.part('all requests');
    const ask = (request: TraceRequest) => part.ask(scaled(bench, request, scale));
    if (speed === undefined) {
      await atMost(parallel, requests, ask);
      return;
    }
    const [began, first] = [systemClock.now(), requests[0]?.timestamp ?? 0];
    await Promise.all(
      requests.map(async (request) => {
        await waitUntil(began + (request.timestamp - first) / speed, bench.signal);
        return ask(request);
      }),
    );
  },
};

/** A request whose blocks, and with them its prompt, are shorter or longer. */
export function scaled(
  bench: Pick<Bench, 'text'>,
  { promptTokens, answerTokens, blocks }: TraceRequest,
  scale: number,
) {
  const block = Math.max(1, Math.round(BLOCK * scale));
  const length = Math.max(1, Math.round((promptTokens * block) / BLOCK));
  const prompt = [...blocks].flatMap((id) => bench.text(`block ${id}`, block)).slice(0, length);
  return { prompt, output: Math.max(1, Math.round((answerTokens * block) / BLOCK)) };
}
