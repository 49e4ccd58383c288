import type { Scenario } from '../../src/bench/situations/scenarios.ts';

/** Whoever answers: the tokens of the answer, and how many of the prompt's were not computed. */
export type Answerer = (prompt: number[]) => Promise<{ answer: number[]; cached: number }>;

export interface Reuse {
  name: string;
  promptTokens: number;
  /** That need not have been computed, at this granularity. */
  reusable: number;
  reused: number;
}

/**
 * Plays a scenario and counts, against everything that was computed before.
 *
 * @param granularity 1, or the tokens of a page
 * @param known what was computed before the scenario; what it computes is added
 */
export async function playScenario(
  { name, steps }: Scenario,
  ask: Answerer,
  granularity: number,
  known: number[][] = [],
): Promise<Reuse> {
  const reuse = { name, promptTokens: 0, reusable: 0, reused: 0 };
  const said = new Map<string, number[]>();
  for (const step of steps) {
    const asked = Object.entries(step.requests).map(([request, prompt]) => ({
      request,
      prompt: prompt((before) => said.get(before) ?? []),
    }));
    for (const { prompt } of asked) {
      const common = Math.max(0, ...known.map((other) => commonLength(prompt, other)));
      reuse.promptTokens += prompt.length;
      // The last token is computed in any case.
      reuse.reusable += Math.min(Math.floor(common / granularity) * granularity, prompt.length - 1);
      known.push(prompt);
    }
    const answers = await Promise.all(asked.map(({ prompt }) => ask(prompt)));
    for (const [i, { request, prompt }] of asked.entries()) {
      const { answer, cached } = answers[i]!;
      reuse.reused += cached;
      said.set(request, [...prompt, ...answer]);
      // The last token of an answer is not computed.
      known.push([...prompt, ...answer.slice(0, -1)]);
    }
  }
  return reuse;
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  return same;
}

export function share({ reusable, reused }: Reuse): number {
  return reusable === 0 ? 1 : reused / reusable;
}

/** As a Markdown table. */
export function reuseTable(rows: readonly Reuse[]): string {
  return [
    '| what is asked | prompt tokens | can be reused | reused | share |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows.map((row) => {
      const { name, promptTokens, reusable, reused } = row;
      return `| ${name} | ${promptTokens} | ${reusable} | ${reused} | ${(100 * share(row)).toFixed(1)} % |`;
    }),
  ].join('\n');
}
