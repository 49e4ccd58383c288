import type { Message } from '../corpus/conversation.ts';
import type { Request } from '../corpus/requests.ts';
import { wordCount } from '../corpus/story.ts';
import { HOMES } from '../corpus/words.ts';
import { ask, type Sampling } from './ask.ts';
import type { StoryGrammar } from './grammar.ts';
import { namesIn } from './masks.ts';

/** What is measured of one story and the questions behind it: each is 1 where it holds, 0 where not. */
type Marks = Readonly<Record<string, number>>;

export interface Told {
  readonly marks: Marks;
  readonly dialogue: readonly Message[];
}

/** The least words of a story that is worth the name. */
const LEAST_WORDS = 80;

const mark = (holds: boolean): number => (holds ? 1 : 0);

/** Asks for a story, and then about it; says of each what was right. */
export async function tellAndAsk(
  url: string,
  request: Request,
  grammar: StoryGrammar,
  sampling: Sampling,
): Promise<Told> {
  const dialogue: Message[] = [{ role: 'user', content: request.text }];
  const story = await ask(url, dialogue, sampling);
  dialogue.push({ role: 'assistant', content: story.text });
  const [hero = '', friend = '', ...others] = namesIn(story.text);
  const { hero: kind = 'hero', helper, name, trait } = request.wish;
  const { whole, beats } = grammar.check(story.text);
  const has = (text: string): boolean => new RegExp(`\\b${text}\\b`, 'i').test(story.text);
  const marks: Record<string, number> = {
    'ends by itself': mark(story.ended),
    [`has ${LEAST_WORDS} words`]: mark(wordCount(story.text) >= LEAST_WORDS),
    'has what was asked for': mark(
      [request.wish.hero, helper, name, trait].every((wish) => !wish || has(wish)),
    ),
    'keeps two names': mark(hero !== '' && friend !== '' && others.length === 0),
    'beats in order': beats,
    'whole skeleton': mark(whole),
  };

  const follow = async (content: string, fits: (answer: string) => boolean): Promise<number> => {
    dialogue.push({ role: 'user', content });
    const answer = await ask(url, dialogue, sampling);
    dialogue.push({ role: 'assistant', content: answer.text });
    return mark(answer.ended && fits(answer.text));
  };
  /** The answer names these, and nobody else of the story or of none. */
  const names = (answer: string, needed: string): boolean =>
    needed !== '' &&
    answer.includes(needed) &&
    namesIn(answer).every((each) => [hero, friend].includes(each));
  const home = HOMES.find((each) => story.text.toLowerCase().includes(each));
  marks['answers who it is about'] = await follow('Who is the story about?', (answer) => names(answer, hero));
  marks["answers the hero's name"] = await follow(`What is the name of the ${kind}?`, (answer) =>
    names(answer, hero),
  );
  marks['answers where'] = await follow(
    `Where did ${hero} live?`,
    (answer) => home !== undefined && answer.includes(home),
  );
  marks['answers who the friend was'] = await follow(`Who did ${hero} meet?`, (answer) =>
    names(answer, friend),
  );
  marks['answers how it ended'] = await follow('How did the story end?', (answer) => names(answer, hero));
  return { marks, dialogue };
}
