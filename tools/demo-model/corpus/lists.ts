import type { Draw } from './draw.ts';
import {
  ANIMALS,
  CITIES,
  COLOURS,
  capital,
  DAYS,
  FRUITS,
  KITCHEN,
  list,
  MONTHS,
  PEOPLE,
  SEASONS,
} from './words.ts';

type Turn = readonly [ask: string, answer: string];

const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'];

const KINDS: readonly (readonly [title: string, items: readonly string[]])[] = [
  ['animals', ANIMALS],
  ['colours', COLOURS],
  ['fruits', FRUITS],
  ['things in a kitchen', KITCHEN],
  ['cities', CITIES],
  ['kinds of people in stories', PEOPLE],
];

function some(draw: Draw): Turn {
  const [title, items] = draw.pick(KINDS);
  const count = draw.between(2, 6);
  const number = draw.once(2) ? String(count) : String(NUMBERS[count]);
  const ask = draw.pick([
    `Name ${number} ${title}.`,
    `List ${number} ${title}.`,
    `Give me a list of ${number} ${title}.`,
    `Can you name ${number} ${title}?`,
  ]);
  const chosen = draw.some(items, count);
  return draw.once(2)
    ? [ask, `${capital(list(chosen))}.`]
    : [ask, chosen.map((item) => `- ${item}`).join('\n')];
}

function counting(draw: Draw): Turn {
  const to = draw.between(3, 12);
  const numbers = Array.from({ length: to }, (_, i) => String(i + 1));
  return [
    draw.pick([`Count to ${to}.`, `Please count to ${to}.`, `Can you count to ${to}?`]),
    `${numbers.join(', ')}.`,
  ];
}

function next(draw: Draw): Turn {
  const ring = draw.pick([DAYS, MONTHS, SEASONS]);
  const at = draw.between(0, ring.length - 1);
  const item = String(ring[at]);
  const after = String(ring[(at + 1) % ring.length]);
  const before = String(ring[(at + ring.length - 1) % ring.length]);
  return draw.once(2)
    ? [`What comes after ${item}?`, `After ${item} comes ${after}.`]
    : [`What comes before ${item}?`, `Before ${item} comes ${before}.`];
}

function whole(draw: Draw): Turn {
  const [title, items] = draw.pick([
    ['days of the week', DAYS],
    ['months', MONTHS],
    ['seasons', SEASONS],
  ] as const);
  return [
    draw.pick([`What are the ${title}?`, `Name the ${title}.`, `List the ${title}.`]),
    `The ${title} are ${list(items)}.`,
  ];
}

/** A list, a row of numbers, or what comes next in one. */
export function listing(draw: Draw): Turn {
  return draw.weighted([
    [4, some],
    [2, counting],
    [2, next],
    [1, whole],
  ])(draw);
}
