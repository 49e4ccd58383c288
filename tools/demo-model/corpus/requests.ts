import { anyKind, anyName, type Wish } from './cast.ts';
import type { Draw } from './draw.ts';
import { isHeldOut } from './held-out.ts';
import { ANIMALS, a, TRAITS } from './words.ts';

/** What somebody says to hear a story, and what the story must then have. */
export interface Request {
  readonly text: string;
  readonly wish: Wish;
}

/** How a story with something in it is asked for. */
const ABOUT = [
  (it: string) => `Tell me a story about ${it}.`,
  (it: string) => `Tell me a story about ${it}`,
  (it: string) => `tell me a story about ${it}`,
  (it: string) => `Tell me a short story about ${it}.`,
  (it: string) => `Write a story about ${it}.`,
  (it: string) => `Write a short story about ${it}, please.`,
  (it: string) => `Can you tell me a story about ${it}?`,
  (it: string) => `Can you write a short story with ${it}?`,
  (it: string) => `Please tell me a story about ${it}.`,
  (it: string) => `I would like to hear a story about ${it}.`,
  (it: string) => `I want a story about ${it}.`,
  (it: string) => `A story about ${it}, please!`,
  (it: string) => `Do you know a story about ${it}?`,
  (it: string) => `Make up a story about ${it}.`,
  (it: string) => `Could you tell my children a story about ${it}?`,
  (it: string) => `Once upon a time there was ${it}. How does it go on?`,
  (it: string) => `Give me a bedtime story about ${it}.`,
];

const ANY = [
  'Tell me a story.',
  'Tell me a story',
  'Tell me a short story.',
  'Can you tell me a story?',
  'Write a story.',
  'I want to hear a story.',
  'Please tell me a bedtime story.',
  'Do you know a good story?',
  'Write a short story, please.',
];

/** Behind another story. */
const AGAIN = [
  'Tell me another one.',
  'Another story, please.',
  'One more story!',
  'Can you tell me another story?',
  'And now a different story.',
];

const AGAIN_ABOUT = [
  (it: string) => `Now a story about ${it}.`,
  (it: string) => `And now one about ${it}, please.`,
  (it: string) => `Tell me another story, about ${it}.`,
  (it: string) => `Do you also know one about ${it}?`,
];

/** A request for a story that is in training; `again`: behind another story. */
export function storyRequest(draw: Draw, again = false): Request {
  for (;;) {
    const request = drawRequest(draw, again);
    if (!isHeldOut(request.text)) return request;
  }
}

/** Different requests for stories that training never shows. */
export function heldOutRequests(draw: Draw, count: number): Request[] {
  const requests = new Map<string, Request>();
  while (requests.size < count) {
    const request = drawRequest(draw, false);
    if (isHeldOut(request.text)) requests.set(request.text, request);
  }
  return [...requests.values()];
}

function drawRequest(draw: Draw, again: boolean): Request {
  const about = again && draw.once(2) ? AGAIN_ABOUT : ABOUT;
  const hero = anyKind(draw);
  return draw.weighted<() => Request>([
    [11, () => ({ text: draw.pick(about)(a(hero)), wish: { hero } })],
    [
      3,
      () => {
        const helper = draw.pick(ANIMALS.filter((kind) => kind !== hero));
        return { text: draw.pick(about)(`${a(hero)} and ${a(helper)}`), wish: { hero, helper } };
      },
    ],
    [
      2,
      () => {
        const trait = draw.pick(TRAITS);
        return { text: draw.pick(about)(a(`${trait} ${hero}`)), wish: { hero, trait } };
      },
    ],
    [
      2,
      () => {
        const name = anyName(draw, hero);
        const named = `${a(hero)} ${draw.pick(['named', 'called'])} ${name}`;
        return { text: draw.pick(about)(named), wish: { hero, name } };
      },
    ],
    [2, () => ({ text: draw.pick(again ? AGAIN : ANY), wish: {} })],
  ])();
}
