/** What clients do that makes prefixes reusable, and how much of it at best can be: for tests, and for the docs. */

export interface Sizes {
  /** Tokens of the text that conversations begin with. */
  system: number;
  /** Tokens of what a user says. */
  turn: number;
  answer: number;
}

/** A request's prompt, which may go on from prompts that were answered before. */
type Prompt = (said: (name: string) => number[]) => number[];

export interface Scenario {
  name: string;
  /** What is sent at once, step by step: every request under its name. */
  steps: Record<string, Prompt>[];
}

/**
 * @param text so many tokens, others for every name
 */
export function reuseScenarios(
  { system, turn }: Sizes,
  text: (name: string, tokens: number) => number[],
): Scenario[] {
  const head = () => text('system', system);
  const under = (name: string): Prompt => {
    return () => [...head(), ...text(name, turn)];
  };
  const after = (previous: string, name: string): Prompt => {
    return (said) => [...said(previous), ...text(name, turn)];
  };
  /** Conversations of three turns each that take turns. */
  const takingTurns = (names: string[]) => [
    ...names.map((name) => ({ [`${name}1`]: under(`${name}1`) })),
    ...[2, 3].flatMap((i) =>
      names.map((name) => ({ [`${name}${i}`]: after(`${name}${i - 1}`, `${name}${i}`) })),
    ),
  ];
  const many = (prompt: (i: number) => Prompt, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`r${i}`, prompt(i)]));
  const [conversation] = [takingTurns(['a'])];
  return [
    { name: 'the same prompt again', steps: [{ a: under('a') }, { b: under('a') }] },
    { name: 'the next turns of a conversation', steps: conversation! },
    { name: 'two conversations that take turns', steps: takingTurns(['a', 'b']) },
    { name: 'four conversations that take turns', steps: takingTurns(['a', 'b', 'c', 'd']) },
    {
      name: 'a short request under the head of a long conversation, which goes on after it',
      steps: [...conversation!, { short: () => [...head(), ...text('short', 3)] }, { a4: after('a3', 'a4') }],
    },
    {
      name: 'a branch in the middle of a conversation, which goes on after it',
      steps: [...conversation!, { branch: after('a1', 'branch') }, { a4: after('a3', 'a4') }],
    },
    {
      name: 'text in the middle is replaced',
      steps: ['old', 'new'].map((name) => ({
        [name]: () => [...head(), ...text(name, turn), ...text('end', turn)],
      })),
    },
    {
      name: 'eight requests at once under a known prefix',
      steps: [{ first: under('first') }, many((i) => under(`u${i}`), 8)],
    },
    { name: 'eight requests at once under an unknown prefix', steps: [many((i) => under(`u${i}`), 8)] },
    { name: 'four identical requests at once', steps: [many(() => under('same'), 4)] },
    {
      name: 'a return after many others',
      steps: [
        { a1: under('a1') },
        ...Array.from({ length: 10 }, (_, i) => ({
          [`other${i}`]: () => text(`other${i}`, system + turn),
        })),
        { a2: after('a1', 'a2') },
      ],
    },
  ];
}

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
    const asked = Object.entries(step).map(([request, prompt]) => ({
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
