import type { Draw } from './draw.ts';
import { ANIMALS, FOODS, HE_NAMES, HOMES, PEOPLE, PLACES, SHE_NAMES, TRAITS } from './words.ts';

/** Somebody in a story, with the pronouns that go with the name. */
interface Character {
  /** 'fox', 'baker'. */
  readonly kind: string;
  readonly name: string;
  readonly he: string;
  readonly He: string;
  readonly him: string;
  readonly his: string;
  readonly His: string;
}

/** What a request may ask for; the rest is drawn. */
export interface Wish {
  readonly hero?: string;
  readonly helper?: string;
  readonly name?: string;
  readonly trait?: string;
}

/** Who and what one story is about; every sentence of it takes its words from here. */
export interface Cast {
  readonly hero: Character;
  readonly helper: Character;
  /** The hero's: 'brave'. */
  readonly trait: string;
  /** Behind 'lived': 'by the river'. */
  readonly home: string;
  /** 'the forest'. */
  readonly place: string;
  readonly food: string;
}

const HE_ALONE = new Set(['boy', 'king', 'wizard', 'knight', 'fisherman']);
const SHE_ALONE = new Set(['girl', 'queen', 'princess', 'grandmother']);

const SHE = { he: 'she', He: 'She', him: 'her', his: 'her', His: 'Her' };
const HE = { he: 'he', He: 'He', him: 'him', his: 'his', His: 'His' };

/** How often somebody is a person and not an animal: once in this many times. */
const PERSON = 6;

function character(draw: Draw, kind: string, name?: string, other?: Character): Character {
  const she = name ? SHE_NAMES.includes(name) : SHE_ALONE.has(kind) || (!HE_ALONE.has(kind) && draw.once(2));
  const all = she ? SHE_NAMES : HE_NAMES;
  // Where both had the same favourites, a model that says the likeliest would give both the same name.
  const names = other ? all.filter((each) => each !== other.name).reverse() : all;
  return { kind, name: name ?? draw.early(names), ...(she ? SHE : HE) };
}

/** A kind of animal or person, other than `not`. */
export function anyKind(draw: Draw, not?: string): string {
  return draw.pick((draw.once(PERSON) ? PEOPLE : ANIMALS).filter((kind) => kind !== not));
}

/** A name that goes with a kind. */
export function anyName(draw: Draw, kind: string): string {
  return character(draw, kind).name;
}

export function makeCast(draw: Draw, wish: Wish = {}): Cast {
  const kind = wish.hero ?? anyKind(draw, wish.helper);
  const hero = character(draw, kind, wish.name);
  const helper = character(draw, wish.helper ?? anyKind(draw, kind), undefined, hero);
  return {
    hero,
    helper,
    trait: wish.trait ?? draw.early(TRAITS.filter((trait) => trait !== kind)),
    home: draw.early(HOMES),
    place: draw.early(PLACES),
    food: draw.early(FOODS),
  };
}
