import { type Cast, makeCast, type Wish } from './cast.ts';
import type { Draw } from './draw.ts';
import type { Plot, Question, Ways } from './plot.ts';
import { fear, learning, race, rescue } from './plots-courage.ts';
import { crossing, mystery, quarrel } from './plots-journey.ts';
import { found, lost } from './plots-lost.ts';
import { feast, mending, winter } from './plots-need.ts';
import { a, capital } from './words.ts';

/** All plots by name. */
export const PLOTS = {
  lost,
  found,
  winter,
  feast,
  mending,
  fear,
  race,
  rescue,
  learning,
  crossing,
  mystery,
  quarrel,
} as const;

type PlotName = keyof typeof PLOTS;

const PLOT_NAMES = Object.keys(PLOTS) as PlotName[];

/** A story is told again until it has a length between these, in words. */
const LEAST_WORDS = 90;
const MOST_WORDS = 170;

/** What a text is made of, in this order. */
interface Parts {
  readonly opening: string;
  readonly everyday: string | undefined;
  readonly beats: readonly string[];
  readonly closing: string;
}

export interface Story {
  readonly text: string;
  readonly parts: Parts;
  readonly cast: Cast;
  readonly name: PlotName;
  readonly plot: Plot;
}

function opening({ hero, trait, home }: Cast): Ways {
  const who = a(`${trait} ${hero.kind}`);
  return [
    `Once upon a time there was ${who} named ${hero.name}. ${hero.He} lived ${home}.`,
    `Once upon a time, ${who} named ${hero.name} lived ${home}.`,
    `There once was ${who} called ${hero.name}, who lived ${home}.`,
    `Long ago, ${home}, lived ${who}. ${hero.His} name was ${hero.name}.`,
    `${capital(who)} lived ${home}. ${hero.His} name was ${hero.name}.`,
    `This is the story of ${hero.name}, ${who}. ${hero.He} lived ${home}.`,
    `${hero.name} was ${who} who lived ${home}.`,
  ];
}

/** Said about everyday life before the plot begins, or not at all. */
function everyday({ hero, trait }: Cast): Ways {
  return [
    `Everybody said that ${hero.name} was the most ${trait} ${hero.kind} they knew.`,
    `Every morning ${hero.he} opened the window and said hello to the sun.`,
    `${hero.He} liked to sit in the sun and listen to the birds.`,
    `${hero.name} had a good life there.`,
    `In the evening ${hero.he} always looked at the stars.`,
  ];
}

function closing({ hero, helper }: Cast): Ways {
  return [
    `And from that day on ${hero.name} and ${helper.name} were the best of friends.`,
    `${hero.name} and ${helper.name} never forgot that day.`,
    `That night ${hero.name} the ${hero.kind} fell asleep with a smile.`,
    `And if they are not asleep, they are still laughing today.`,
    `${hero.name} learned that a good friend is worth more than gold.`,
    `And so ${hero.name} and ${helper.name} lived happily ever after.`,
    'The end.',
  ];
}

/** Words of a text, counted by the spaces between them. */
export function wordCount(text: string): number {
  return text.split(/\s+/).filter(Boolean).length;
}

/** Tells a story in which everything that the wish names occurs. */
export function tellStory(draw: Draw, wish: Wish = {}): Story {
  for (;;) {
    const cast = makeCast(draw, wish);
    const name = draw.pick(PLOT_NAMES);
    const plot = PLOTS[name](cast, draw);
    const parts = {
      opening: draw.early(opening(cast)),
      everyday: draw.once(3) ? draw.early(everyday(cast)) : undefined,
      beats: plot.beats.map((ways) => draw.early(ways)),
      closing: draw.early(closing(cast)),
    };
    const text = layOut(parts, draw.once(2));
    const length = wordCount(text);
    if (length >= LEAST_WORDS && length <= MOST_WORDS) return { text, parts, cast, name, plot };
  }
}

/** The text in one paragraph or in two, which part in the plot's middle. */
function layOut({ opening, everyday, beats, closing }: Parts, whole: boolean): string {
  const all = [opening, ...(everyday === undefined ? [] : [everyday]), ...beats, closing];
  const middle = Math.ceil(all.length / 2);
  return whole ? all.join(' ') : `${all.slice(0, middle).join(' ')}\n\n${all.slice(middle).join(' ')}`;
}

/** What can be asked about any story, before what its plot adds. */
export function questions({ cast, plot }: Story): Question[] {
  const { hero, helper, trait, home } = cast;
  return [
    {
      ask: ['Who is the story about?', 'Who was the hero?', 'Who is the main character?', 'Who is it about?'],
      answer: [
        `The story is about ${hero.name}, ${a(`${trait} ${hero.kind}`)}.`,
        `It is about ${a(hero.kind)} named ${hero.name}.`,
      ],
    },
    {
      ask: [
        `What is the name of the ${hero.kind}?`,
        `What was the ${hero.kind} called?`,
        `What is the ${hero.kind}'s name?`,
        `What was the ${hero.kind}'s name?`,
      ],
      answer: [`The ${hero.kind} is called ${hero.name}.`, `The name of the ${hero.kind} is ${hero.name}.`],
    },
    {
      ask: [
        `Where did ${hero.name} live?`,
        `Where did the ${hero.kind} live?`,
        `Where does ${hero.name} live?`,
        `Where does the ${hero.kind} live?`,
      ],
      answer: [`${hero.name} lived ${home}.`, `The ${hero.kind} lived ${home}.`],
    },
    {
      ask: [
        `Who is ${helper.name}?`,
        `Who was ${helper.name}?`,
        `Who did ${hero.name} meet?`,
        `What is the name of the ${helper.kind}?`,
        'Who else is in the story?',
        `Who was ${hero.name}'s friend?`,
      ],
      answer: [
        `${helper.name} is the ${helper.kind} in the story.`,
        `It is ${helper.name} the ${helper.kind}.`,
        `${helper.name} is ${a(helper.kind)}, the friend of ${hero.name}.`,
      ],
    },
    {
      ask: [
        'How did the story end?',
        'How did it end?',
        'What happened in the end?',
        'How does the story end?',
        'Can you sum it up?',
        'Tell me the end again.',
      ],
      answer: [plot.end, `In the end, all was well. ${plot.end}`],
    },
    {
      ask: [`Was ${hero.name} ${a(helper.kind)}?`, `Is ${hero.name} ${a(helper.kind)}?`],
      answer: [`No, ${hero.name} is ${a(hero.kind)}. ${helper.name} is the ${helper.kind}.`],
    },
    ...plot.questions,
  ];
}
