/** What clients do that makes prefixes reusable. */

export interface Sizes {
  /** Tokens of the text that conversations begin with. */
  system: number;
  /** Tokens of what a user says. */
  turn: number;
}

/** A request's prompt, which may go on from prompts that were answered before. */
type Prompt = (said: (name: string) => readonly number[]) => number[];

interface Step {
  /** What it is an example of; undefined when it only prepares. */
  situation: string | undefined;
  /** What is sent at once: every request under its name. */
  requests: Record<string, Prompt>;
}

export interface Scenario {
  name: string;
  steps: Step[];
}

/**
 * @param text so many tokens, others for every name; scenarios that follow each other need a text each
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
  const prepare = (requests: Step['requests']): Step => ({ situation: undefined, requests });
  const count = (situation: string, requests: Step['requests']): Step => ({ situation, requests });
  const many = (prompt: (i: number) => Prompt, length: number) =>
    Object.fromEntries(Array.from({ length }, (_, i) => [`r${i}`, prompt(i)]));
  /** Conversations of three turns each that take turns. */
  const takingTurns = (situation: string | undefined, names: string[]): Step[] => [
    ...names.map((name, i) => ({
      situation: i === 0 ? undefined : situation,
      requests: { [`${name}1`]: under(`${name}1`) },
    })),
    ...[2, 3].flatMap((i) =>
      names.map((name) => ({
        situation,
        requests: { [`${name}${i}`]: after(`${name}${i - 1}`, `${name}${i}`) },
      })),
    ),
  ];
  const scenario = (name: string, steps: Step[]): Scenario => ({ name, steps });
  const conversation = () => takingTurns(undefined, ['a']);
  const next = 'the next turns of a conversation';
  const two = 'two conversations that take turns';
  const four = 'four conversations that take turns';
  const again = 'the same prompt again';
  const replaced = 'text in the middle is replaced';
  const known = 'eight requests at once under a known prefix';
  const unknown = 'eight requests at once under an unknown prefix';
  const identical = 'four identical requests at once';
  const returning = 'a return after many others';
  return [
    scenario(again, [prepare({ a: under('a') }), count(again, { b: under('a') })]),
    scenario(next, takingTurns(next, ['a'])),
    scenario(two, takingTurns(two, ['a', 'b'])),
    scenario(four, takingTurns(four, ['a', 'b', 'c', 'd'])),
    scenario('a short request under the head of a long conversation', [
      ...conversation(),
      count('a short request under the head of a long conversation', {
        short: () => [...head(), ...text('short', 3)],
      }),
      count('the long conversation goes on after it', { a4: after('a3', 'a4') }),
    ]),
    scenario('a branch in the middle of a conversation', [
      ...conversation(),
      count('a branch in the middle of a conversation', { branch: after('a1', 'branch') }),
      count('the original goes on after the branch', { a4: after('a3', 'a4') }),
    ]),
    scenario(replaced, [
      prepare({ old: () => [...head(), ...text('old', turn), ...text('end', turn)] }),
      count(replaced, { new: () => [...head(), ...text('new', turn), ...text('end', turn)] }),
    ]),
    scenario(known, [
      prepare({ first: under('first') }),
      count(
        known,
        many((i) => under(`u${i}`), 8),
      ),
    ]),
    scenario(unknown, [
      count(
        unknown,
        many((i) => under(`u${i}`), 8),
      ),
    ]),
    scenario(identical, [
      count(
        identical,
        many(() => under('same'), 4),
      ),
    ]),
    scenario(returning, [
      prepare({ a1: under('a1') }),
      ...Array.from({ length: 10 }, (_, i) =>
        prepare({ [`other${i}`]: () => text(`other${i}`, system + turn) }),
      ),
      count(returning, { a2: after('a1', 'a2') }),
    ]),
  ];
}
