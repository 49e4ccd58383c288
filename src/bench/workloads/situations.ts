import { reuseScenarios, type Scenario } from '../situations/scenarios.ts';
import type { Bench, Workload } from '../workload.ts';

export interface SituationsOptions {
  systemLength: number;
  turnLength: number;
  outputLength: number;
}

/** What is no situation by itself. */
export const PREPARATION = 'what only prepares';
const AFTER_RESTART = 'all of it again after a restart';

/** Every way in which prompts have a beginning in common, each counted by itself. */
export const situations: Workload<SituationsOptions> = {
  name: 'situations',
  about: 'fourteen situations in which prefixes come again, each counted',
  async run(bench, { systemLength, turnLength, outputLength }) {
    const sizes = { system: systemLength, turn: turnLength };
    const names = reuseScenarios(sizes, bench.text).map(({ name }) => name);
    // Each with texts of its own, so that none knows the prefix of another one.
    const scenarios = names.flatMap((name, i) =>
      reuseScenarios(sizes, (of, tokens) => bench.text(`${name}: ${of}`, tokens)).slice(i, i + 1),
    );
    const requests = scenarios
      .flatMap(({ steps }) => steps)
      .reduce((sum, step) => sum + Object.keys(step.requests).length, 0);
    bench.expect(requests * (bench.restart ? 2 : 1));
    for (const scenario of scenarios) await play(bench, scenario, outputLength, undefined);
    if (!bench.restart) return;
    await bench.restart();
    for (const scenario of scenarios) await play(bench, scenario, outputLength, AFTER_RESTART);
  },
};

/** @param situation what all of it counts as; undefined for what each step says */
async function play(
  bench: Bench,
  { steps }: Scenario,
  output: number,
  situation: string | undefined,
): Promise<void> {
  const said = new Map<string, readonly number[]>();
  for (const step of steps) {
    const part = bench.part(situation ?? step.situation ?? PREPARATION);
    await Promise.all(
      Object.entries(step.requests).map(async ([name, prompt]) => {
        const asked = prompt((before) => said.get(before) ?? []);
        said.set(name, (await part.ask({ prompt: asked, output }))?.history ?? asked);
      }),
    );
  }
}
