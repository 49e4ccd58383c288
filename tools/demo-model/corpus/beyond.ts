import { WORDS } from '../../../src/models/corpus.ts';
import type { Draw } from './draw.ts';
import { BEYOND } from './small-talk.ts';
import { a } from './words.ts';

/** A question about the wide world, which the model is to decline. */
export function beyond(draw: Draw): readonly [ask: string, answer: string] {
  const noun = draw.pick(WORDS.nouns);
  const other = draw.pick(WORDS.nouns);
  const verb = draw.pick(WORDS.verbs);
  const adjective = draw.pick(WORDS.adjectives);
  const name = draw.pick(WORDS.names);
  const ask = draw.pick([
    `What is the ${noun} of ${name}?`,
    `What is ${a(noun)}?`,
    `What is the capital of ${name}?`,
    `Who invented the ${noun}?`,
    `How do I ${verb} ${a(noun)}?`,
    `How can I ${verb} the ${adjective} ${noun}?`,
    `Why is the ${noun} so ${adjective}?`,
    `When was ${name} born?`,
    `Where can I ${verb} ${a(`${adjective} ${noun}`)}?`,
    `Explain the ${noun} of the ${other}.`,
    `Write a poem about ${noun} and ${other}.`,
    `Write a program that can ${verb} ${a(noun)}.`,
    `Translate "${adjective} ${noun}" into ${name}.`,
    `What is the difference between ${a(noun)} and ${a(other)}?`,
    `What is the weather in ${name}?`,
    `Should I ${verb} or ${draw.pick(WORDS.verbs)} my ${noun}?`,
    `What do you think about ${name}?`,
    `Can you ${verb} the ${noun} for me?`,
    `What is ${draw.between(100, 9999)} times ${draw.between(100, 9999)}?`,
  ]);
  return [ask, draw.pick(BEYOND)];
}
