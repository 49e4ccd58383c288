import type { Workload } from '../workload.ts';

export interface SteadyOptions {
  /** How many requests there are at a time, one measurement after the other. */
  parallel: readonly number[];
  promptLength: number;
  outputLength: number;
}

/**
 * Prompts that never come again: what the engine does by itself. Prompts alone first, with one token of answer each;
 * then answers of full length after other prompts.
 */
export const steady: Workload<SteadyOptions> = {
  name: 'steady',
  about: 'prompts that never come again: the engine by itself',
  async run(bench, { parallel, promptLength, outputLength }) {
    bench.expect(2 * parallel.reduce((sum, count) => sum + count, 0));
    for (const count of parallel) {
      for (const [kind, output] of [
        ['prefill', 1],
        ['decode', outputLength],
      ] as const) {
        const name = `${kind}, ${count} at a time`;
        const part = bench.part(name, kind === 'decode');
        await Promise.all(
          Array.from({ length: count }, (_, i) =>
            part.ask({ prompt: bench.text(`${name} ${i}`, promptLength), output }),
          ),
        );
      }
    }
  },
};
