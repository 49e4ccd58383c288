import { arithmetic } from './arithmetic.ts';
import { beyond } from './beyond.ts';
import type { Draw } from './draw.ts';
import { listing } from './lists.ts';
import type { Question } from './plot.ts';
import { storyRequest } from './requests.ts';
import { FAREWELLS, GREETINGS } from './small-talk.ts';
import { questions, type Story, tellStory } from './story.ts';
import { TIERKV } from './tierkv.ts';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

const SYSTEM = [
  'You are a helpful assistant.',
  'You are a friendly assistant. Answer in simple words.',
  'You are a storyteller for children.',
  'You are the demo model of TierKV.',
  'Answer briefly and politely.',
  'You are a kind teacher. Use short sentences, and never use difficult words.',
  'You tell stories and answer questions about them.',
];

type Turn = readonly [ask: string, answer: string];

const asked = (draw: Draw, { ask, answer }: Question): Turn => [draw.pick(ask), draw.pick(answer)];

/** A story, and some questions about it. */
function storyTurns(draw: Draw, again: boolean): Turn[] {
  const { text, wish } = storyRequest(draw, again);
  const story = tellStory(draw, wish);
  return [[text, story.text], ...followUps(draw, story)];
}

function followUps(draw: Draw, story: Story): Turn[] {
  const all = questions(story);
  return draw.some(all, draw.between(0, 5)).map((question) => asked(draw, question));
}

/** A story that the user tells, to be asked about. */
function readTurns(draw: Draw): Turn[] {
  const story = tellStory(draw);
  const [first, ...more] = draw.some(questions(story), draw.between(1, 4));
  if (!first) return [];
  const [ask, answer] = asked(draw, first);
  const told = draw.pick([`${story.text}\n\n${ask}`, `Here is a story: ${story.text}\n\n${ask}`]);
  return [[told, answer], ...more.map((question) => asked(draw, question))];
}

const several = (draw: Draw, most: number, turn: (draw: Draw) => Turn): Turn[] =>
  Array.from({ length: draw.between(1, most) }, () => turn(draw));

/** The next turns of a conversation. The weights are how often; stories are by far the longest. */
function nextTurns(draw: Draw, again: boolean): Turn[] {
  return draw.weighted<() => Turn[]>([
    [50, () => storyTurns(draw, again)],
    [4, () => readTurns(draw)],
    [14, () => several(draw, 3, () => asked(draw, draw.pick(TIERKV)))],
    [9, () => several(draw, 5, arithmetic)],
    [8, () => several(draw, 3, listing)],
    [7, () => several(draw, 2, beyond)],
    [5, () => several(draw, 1, () => asked(draw, draw.pick(FAREWELLS)))],
  ])();
}

/**
 * A conversation in which the assistant's every word fits what was said.
 *
 * @param parts how many subjects it has; each is one or a few turns
 */
export function conversation(draw: Draw, parts: number): Message[] {
  const turns: Turn[] = draw.once(5) ? [asked(draw, draw.pick(GREETINGS))] : [];
  let told = false;
  for (let i = 0; i < parts; i++) {
    const more = nextTurns(draw, told);
    told ||= more.some(([, answer]) => answer.length > 300);
    turns.push(...more);
  }
  if (draw.once(6)) turns.push(asked(draw, draw.pick(FAREWELLS)));
  return [
    ...(draw.once(2) ? [{ role: 'system', content: draw.pick(SYSTEM) } as const] : []),
    ...turns.flatMap(([ask, answer]): Message[] => [
      { role: 'user', content: ask },
      { role: 'assistant', content: answer },
    ]),
  ];
}
