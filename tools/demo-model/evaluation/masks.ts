import {
  ANIMALS,
  a,
  capital,
  FOODS,
  HE_NAMES,
  HOMES,
  PEOPLE,
  PLACES,
  SHE_NAMES,
  SPOTS,
  THING_TRAITS,
  THINGS,
  TRAITS,
} from '../corpus/words.ts';

/** What stands for each word of a story that might be another one. */
const MASKS = new Map<string, string>();

function mask(sign: string, words: readonly string[]): void {
  for (const word of words) {
    MASKS.set(word, sign);
    // An article that is wrong for its word is not masked, and so fits no known sentence.
    MASKS.set(a(word), `a ${sign}`);
    MASKS.set(capital(a(word)), `A ${sign}`);
    MASKS.set(capital(word), sign);
  }
}

mask('THING', THINGS);
mask('TRAIT', [...TRAITS, ...THING_TRAITS]);
mask('KIND', [...ANIMALS, ...PEOPLE]);
mask('FOOD', FOODS);
mask('PLACE', PLACES);
mask('SPOT', SPOTS);
mask('HOME', HOMES);

const LONGEST_FIRST = [...MASKS.keys()].sort((one, other) => other.length - one.length);
const WORD = new RegExp(`(?<![A-Za-z])(?:${LONGEST_FIRST.join('|')})(?![A-Za-z])`, 'g');
const NAME = new RegExp(`\\b(?:${[...SHE_NAMES, ...HE_NAMES].join('|')})\\b`, 'g');

/** The names in a text, each once, in the order in which they first occur. */
export function namesIn(text: string): string[] {
  return [...new Set(text.match(NAME) ?? [])];
}

/** 'she he' for a heroine and her friend: what the pronouns of a story depend on. */
export function gendersOf(names: readonly string[]): string {
  return names.map((name) => (SHE_NAMES.includes(name) ? 'she' : 'he')).join(' ');
}

/**
 * The text's shape: names are replaced by whose they are, and animals, things and places by what they are. Pronouns
 * stay.
 *
 * @param names the hero's, and then the friend's
 */
export function shapeOf(text: string, names: readonly string[]): string {
  const roles = ['HERO', 'FRIEND'];
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(NAME, (name) => roles[names.indexOf(name)] ?? 'STRANGER')
    .replaceAll(WORD, (word) => MASKS.get(word) ?? word);
}
