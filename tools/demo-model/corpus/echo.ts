import { WORDS } from '../../../src/models/corpus.ts';
import type { Message } from './conversation.ts';
import type { Draw } from './draw.ts';
import { ANIMALS, a, COLOURS, HE_NAMES, PEOPLE, PLACES, SHE_NAMES, THINGS } from './words.ts';

const OWN = [...ANIMALS, ...PEOPLE, ...THINGS, ...COLOURS, ...SHE_NAMES, ...HE_NAMES];
const OTHER = [...WORDS.nouns, ...WORDS.verbs, ...WORDS.adjectives];

type Turn = readonly [ask: string, answer: string];

/** Words without sense, said after the user. */
function repeat(draw: Draw): Turn {
  const list = draw.once(3) ? OTHER : OWN;
  const words = Array.from({ length: draw.between(6, 24) }, () => draw.pick(list)).join(' ');
  return [`${draw.pick(['Say after me:', 'Repeat:', 'Please say:'])} ${words}`, words];
}

/** Some facts, and questions about them: whoever answers has to look them up. */
function lookUp(draw: Draw): Turn[] {
  const count = draw.between(2, 6);
  const names = draw.some([...SHE_NAMES, ...HE_NAMES], count);
  const kinds = draw.some([...ANIMALS, ...PEOPLE], count);
  const places = draw.some(PLACES, count);
  const things = draw.some(THINGS, count);
  const facts = names.map((name, i) => {
    const [kind, place, thing] = [String(kinds[i]), String(places[i]), String(things[i])];
    return draw.pick<{ told: string; turns: readonly Turn[] }>([
      {
        told: `${name} is ${a(kind)}.`,
        turns: [
          [`What is ${name}?`, `${name} is ${a(kind)}.`],
          [`Who is the ${kind}?`, `The ${kind} is ${name}.`],
          [`What is the name of the ${kind}?`, `The ${kind} is called ${name}.`],
        ],
      },
      {
        told: `${name} the ${kind} lives near ${place}.`,
        turns: [
          [`Where does ${name} live?`, `${name} lives near ${place}.`],
          [`Where does the ${kind} live?`, `The ${kind} lives near ${place}.`],
          [`Who lives near ${place}?`, `${name} the ${kind} lives near ${place}.`],
        ],
      },
      {
        told: `${name} the ${kind} has ${a(thing)}.`,
        turns: [
          [`What does ${name} have?`, `${name} has ${a(thing)}.`],
          [`Who has the ${thing}?`, `${name} has the ${thing}.`],
          [`Who is ${name}?`, `${name} is the ${kind} with the ${thing}.`],
        ],
      },
    ]);
  });
  const questions = draw.some(
    facts.flatMap(({ turns }) => turns),
    draw.between(2, 5),
  );
  const told = facts.map((fact) => fact.told).join(' ');
  return questions.map(([ask, answer], i): Turn => [i === 0 ? `${told} ${ask}` : ask, answer]);
}

/**
 * Turns in which every word of the answer stands in the text before it. Stories alone do not teach a model in
 * acceptable time to look names up: too few of their words depend on it.
 */
export function echoes(draw: Draw): Message[] {
  const turns = draw.once(2) ? lookUp(draw) : Array.from({ length: draw.between(1, 3) }, () => repeat(draw));
  return turns.flatMap(([ask, answer]): Message[] => [
    { role: 'user', content: ask },
    { role: 'assistant', content: answer },
  ]);
}
