import { Draw } from '../corpus/draw.ts';
import { PLOTS, tellStory } from '../corpus/story.ts';
import { gendersOf, namesIn, shapeOf } from './masks.ts';

/** Told to learn all shapes of all parts. */
const STORIES = 50_000;

/** The most sentences in one part of a story. */
const MOST_SENTENCES = 6;

/** The shapes that a part of a story may have. */
interface Shapes {
  readonly openings: Set<string>;
  readonly everyday: Set<string>;
  readonly closings: Set<string>;
  /** By plot. */
  readonly beats: ReadonlyMap<string, Set<string>[]>;
}

/** How much of a story's skeleton is there. */
export interface Skeleton {
  /** It is, from the first word to the last, a story that the grammar can tell. */
  readonly whole: boolean;
  /** The share of a plot's beats that occur in their order, of the plot that fits best. */
  readonly beats: number;
}

function noShapes(): Shapes {
  const beats = new Map(Object.keys(PLOTS).map((name): [string, Set<string>[]] => [name, []]));
  return { openings: new Set(), everyday: new Set(), closings: new Set(), beats };
}

/** The shapes by the genders of the two in the story. */
function learnShapes(): Map<string, Shapes> {
  const learnt = new Map<string, Shapes>();
  for (let i = 0; i < STORIES; i++) {
    const { parts, name, cast } = tellStory(new Draw(`grammar/${i}`));
    const names = [cast.hero.name, cast.helper.name];
    const genders = gendersOf(names);
    const shapes = learnt.get(genders) ?? noShapes();
    learnt.set(genders, shapes);
    shapes.openings.add(shapeOf(parts.opening, names));
    if (parts.everyday) shapes.everyday.add(shapeOf(parts.everyday, names));
    shapes.closings.add(shapeOf(parts.closing, names));
    const beats = shapes.beats.get(name);
    for (const [at, beat] of parts.beats.entries()) {
      if (!beats) continue;
      beats[at] ??= new Set();
      beats[at].add(shapeOf(beat, names));
    }
  }
  return learnt;
}

/** Tells how much of a text is a story of the grammar that made the corpus. */
export class StoryGrammar {
  readonly #shapes = learnShapes();

  check(text: string): Skeleton {
    const names = namesIn(text).slice(0, 2);
    const shapes = this.#shapes.get(gendersOf(names));
    if (!shapes) return { whole: false, beats: 0 };
    const sentences = shapeOf(text.trim(), names).split(/(?<=[.!?]"?) (?=[A-Z"])/);
    const plots = [...shapes.beats.values()];
    return {
      whole: plots.some((beats) => isWhole(sentences, shapes, beats)),
      beats: Math.max(...plots.map((beats) => beatsInOrder(sentences, beats) / beats.length)),
    };
  }
}

function isWhole(sentences: readonly string[], shapes: Shapes, beats: readonly Set<string>[]): boolean {
  const { openings, everyday, closings } = shapes;
  const rest = [...beats, closings];
  return (
    canFollow(sentences, 0, [openings, ...rest]) || canFollow(sentences, 0, [openings, everyday, ...rest])
  );
}

/** Whether the sentences from `at` on are one of each of `parts`, and nothing more. */
function canFollow(sentences: readonly string[], at: number, parts: readonly Set<string>[]): boolean {
  const [part, ...rest] = parts;
  if (!part) return at === sentences.length;
  return lengthsAt(sentences, at, part).some((length) => canFollow(sentences, at + length, rest));
}

/** How many beats are found, each behind the one before it; what stands between them does not matter. */
function beatsInOrder(sentences: readonly string[], beats: readonly Set<string>[]): number {
  let found = 0;
  let at = 0;
  for (const beat of beats) {
    for (let start = at; start < sentences.length; start++) {
      const [length] = lengthsAt(sentences, start, beat);
      if (length === undefined) continue;
      found += 1;
      at = start + length;
      break;
    }
  }
  return found;
}

/** How many sentences from `at` on may be the part. */
function lengthsAt(sentences: readonly string[], at: number, part: Set<string>): number[] {
  const lengths = Array.from({ length: MOST_SENTENCES }, (_, i) => i + 1);
  return lengths.filter((length) => part.has(sentences.slice(at, at + length).join(' ')));
}
