import type { Bench, Workload } from '../workload.ts';

export interface FanoutOptions {
  prefixLength: number;
  branches: number;
  branchLength: number;
  outputLength: number;
}

/** One long prefix under many short branches: all at once while nobody knows the prefix, then others at once. */
export const fanout: Workload<FanoutOptions> = {
  name: 'fanout',
  about: 'one long prefix, and short branches at once',
  async run(bench, options) {
    bench.expect(2 * options.branches);
    await branchOut(bench, options, 'under a new prefix');
    await branchOut(bench, options, 'under the same prefix');
  },
};

async function branchOut(bench: Bench, options: FanoutOptions, name: string): Promise<void> {
  const { prefixLength, branches, branchLength, outputLength } = options;
  const part = bench.part(name);
  const prefix = bench.text('prefix', prefixLength);
  await Promise.all(
    Array.from({ length: branches }, (_, i) =>
      part.ask({ prompt: [...prefix, ...bench.text(`${name} ${i}`, branchLength)], output: outputLength }),
    ),
  );
}
