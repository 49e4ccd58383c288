/** The words that stories and lists are made of. */
const words = (text: string): string[] => text.trim().split(/\s+/);
const phrases = (text: string): string[] => text.trim().split(/\s*\n\s*/);

export const ANIMALS = words(`
  fox owl rabbit bear mouse cat dog wolf deer hedgehog squirrel badger otter beaver frog duck goose hen lion tiger
  elephant monkey turtle horse donkey goat sheep pig cow raven sparrow penguin seal dolphin whale crab snail bee
  ant spider butterfly dragon swan mole bat parrot panda kangaroo camel robin`);

export const PEOPLE = words(`
  girl boy baker farmer fisherman king queen princess knight wizard sailor teacher gardener painter robot giant
  shepherd grandmother miller pirate`);

export const SHE_NAMES = words(`
  Mia Lena Fenna Rosa Ella Clara Nora Ida Luna Tilda Wanda Greta Hazel Ruby Alma Vera Lily Daisy Olive Poppy`);

export const HE_NAMES = words(`
  Tom Finn Oskar Max Leo Hugo Bruno Otto Emil Felix Jack Milo Sam Ben Toby Arlo Theo Karl Rufus Gus`);

/** Of a hero; without a plot of their own. */
export const TRAITS = words(`
  young small little brave clever shy kind curious gentle quiet cheerful patient lonely friendly careful proud lazy
  old tiny hungry`);

/** Where somebody lives, behind 'lived'. */
export const HOMES = phrases(`
  in a small house by the river
  under an old oak tree
  at the edge of a deep forest
  on a green hill above the village
  near a quiet lake
  in a warm cave in the mountains
  behind the old mill
  on a small island in the sea
  next to a field of yellow flowers
  in a little village by the sea
  at the end of a long road
  in a garden full of roses
  in a valley between two hills
  beside a wide river
  in a wooden hut in the snow
  under the roots of a tall pine tree`);

/** Where things happen, behind a verb of moving or being. */
export const PLACES = phrases(`
  the forest
  the lake
  the old bridge
  the market
  the meadow
  the beach
  the hill
  the mill
  the river
  the garden
  the village
  the big rock
  the apple trees
  the old castle
  the waterfall
  the mountain path`);

/** Things that somebody may own, lose or find. */
export const THINGS = words(`
  lantern key scarf map bell ring hat basket drum flute kite book crown coin boat cup blanket letter mirror feather`);

export const THING_TRAITS = words('red blue golden silver wooden old little shiny green yellow');

/** Where a lost thing turns up. */
export const SPOTS = phrases(`
  under a bush
  behind a stone
  in the tall grass
  between two roots
  in a hollow tree
  under a pile of leaves
  in a bird's nest
  on a low branch
  next to the well
  in the mud`);

/** What is eaten together. */
export const FOODS = phrases(`
  warm bread
  apple cake
  hot soup
  honey and nuts
  berry pie
  fresh cheese
  sweet pears
  pancakes
  roasted chestnuts
  carrot stew`);

export const SEASONS = words('spring summer autumn winter');
export const COLOURS = words('red blue green yellow white black brown pink purple orange grey');
export const FRUITS = words('apple pear plum cherry banana orange lemon grape peach melon');
export const KITCHEN = words('table pot pan spoon knife fork plate cup oven bowl');
export const CITIES = words('Paris London Berlin Madrid Rome Tokyo Vienna Lisbon Oslo Athens');
export const DAYS = words('Monday Tuesday Wednesday Thursday Friday Saturday Sunday');
export const MONTHS = words(`
  January February March April May June July August September October November December`);

/** With 'a' or 'an' before it. */
export function a(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** 'a', 'a and b', 'a, b and c'. */
export function list(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}
