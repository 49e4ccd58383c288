import type { PlotMaker } from './plot.ts';
import { a } from './words.ts';

/** A river in the way. */
export const crossing: PlotMaker = ({ hero, helper, food }, draw) => {
  const aim = draw.pick([
    `visit ${hero.his} grandmother`,
    'see the sea',
    'climb the highest mountain',
    'go to the big market',
    'find the garden of a thousand flowers',
  ]);
  const [way, verb] = draw.pick([
    ['a boat', 'rowed across'],
    ['a bridge of branches', 'walked across'],
    ['a raft', 'floated across'],
    ['a row of stones', 'jumped across'],
  ] as const);
  return {
    beats: [
      [
        `One day ${hero.name} packed a bag, because ${hero.he} wanted to ${aim}.`,
        `"Today I will ${aim}," said ${hero.name} one morning, and set out.`,
        `For a long time ${hero.name} had wanted to ${aim}. One bright day ${hero.he} went on the journey.`,
      ],
      [
        `${hero.He} walked over hills and through fields, and sang a song.`,
        `The road was long, but the sun was shining and the birds were singing.`,
        `At noon ${hero.he} rested under a tree and ate a little bread.`,
      ],
      [
        `Then ${hero.he} came to a wide river. There was no bridge, and the water was fast.`,
        `But soon a wide river was in the way, and ${hero.he} could not get to the other side.`,
      ],
      [
        `"What shall I do now?" said ${hero.name} and looked at the water.`,
        `${hero.name} sat down in the grass. "I have to go back," ${hero.he} said sadly.`,
        `${hero.name} walked up and down along the river, but there was no way across.`,
      ],
      [
        `There came ${a(helper.kind)}, and ${helper.his} name was ${helper.name}. "I have to cross the river as well," ${helper.he} said.`,
        `"Hello there!" called a voice. It was ${helper.name} the ${helper.kind}. "Do you want to get across?"`,
      ],
      [
        `"Alone it is too hard, but together we can make ${way}," said ${helper.name}.`,
        `"I have an idea," said ${helper.name}. "Let us build ${way}."`,
      ],
      [
        `They worked until the evening. Then they ${verb}, and nobody got wet.`,
        `It took them the whole afternoon to make ${way}. At last they ${verb}, laughing all the way.`,
      ],
      [
        `On the other side they shared ${food}, and then they went on together. That is how ${hero.name} could ${aim}.`,
        `So ${hero.name} could ${aim} after all, and ${helper.name} came along. In the evening they ate ${food}.`,
      ],
    ],
    questions: [
      {
        ask: [
          `What did ${hero.name} want to do?`,
          `What did the ${hero.kind} want to do?`,
          `Where did ${hero.name} want to go?`,
        ],
        answer: [`${hero.name} wanted to ${aim}.`],
      },
      {
        ask: ['What was the problem?', `What stopped ${hero.name}?`],
        answer: [`A wide river was in the way, and there was no bridge.`],
      },
      {
        ask: ['How did they cross the river?', `How did ${hero.name} cross the river?`],
        answer: [`They made ${way} and ${verb}.`],
      },
    ],
    end: `${hero.name} and ${helper.name} crossed the river with ${way} and went on together.`,
  };
};

/** A strange light or sound that turns out to be a friend. */
export const mystery: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const [sign, cause, reason] = draw.pick([
    ['a strange light', 'a lantern', 'reading a book under it'],
    ['a strange sound', 'a drum', 'playing a song for the moon'],
    ['soft music', 'a flute', 'playing for the stars'],
    ['a thin line of smoke', 'a small fire', 'cooking dinner'],
  ] as const);
  return {
    beats: [
      [
        `One night ${hero.name} could not sleep. ${hero.He} looked out of the window and noticed ${sign} near ${place}.`,
        `Every night there was ${sign} near ${place}, and nobody knew what it was.`,
        `One evening ${hero.name} noticed ${sign}. It came from ${place}.`,
      ],
      [
        `"It must be a ghost," said the neighbours, and they locked their doors.`,
        `Everybody was afraid and stayed at home.`,
        `"Do not go there," the others said. "It is dangerous."`,
      ],
      [
        `But ${hero.name} wanted to know the truth. ${hero.He} put on ${hero.his} coat and went out.`,
        `But ${hero.name} took all ${hero.his} courage and went to ${place} alone.`,
        `"I will find out what it is," said ${hero.name}, and walked into the night.`,
      ],
      [
        `It was dark and cold. Step by step ${hero.he} came closer.`,
        `The moon was bright, and the wind moved the leaves.`,
        `${hero.His} heart beat fast, but ${hero.he} did not turn back.`,
      ],
      [
        `And what did ${hero.he} see? There sat ${a(helper.kind)} with ${cause}.`,
        `Behind the last tree ${hero.he} saw ${a(helper.kind)} with ${cause}.`,
      ],
      [
        `"Good evening," said the ${helper.kind}. "My name is ${helper.name}. I am ${reason}."`,
        `"Do not be afraid," said the ${helper.kind}. "I am ${helper.name}, and I am just ${reason}."`,
      ],
      [
        `"Are you always alone here?" asked ${hero.name}. "Yes," said ${helper.name}, "everybody is afraid of me."`,
        `"I came here a week ago," said ${helper.name}, "and I do not know anybody yet."`,
      ],
      [
        `So ${hero.name} sat down, and they shared ${food}. The next day ${hero.he} told everybody, and ${helper.name} was never alone again.`,
        `"Then come home with me," said ${hero.name}. They ate ${food}, and soon the whole village liked ${helper.name}.`,
      ],
    ],
    questions: [
      {
        ask: [`What did ${hero.name} notice?`, `What was near ${place}?`],
        answer: [`${hero.name} noticed ${sign} near ${place}.`],
      },
      {
        ask: ['What was it really?', 'Where did it come from?', 'What was the secret?'],
        answer: [`It was ${helper.name} the ${helper.kind} with ${cause}.`],
      },
    ],
    end: `${hero.name} made friends with ${helper.name}, who was never alone again.`,
  };
};

/** Two who quarrel and make peace. */
export const quarrel: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const object = draw.pick([
    'the biggest apple',
    'the last pear',
    'a sweet melon',
    'the largest nut',
  ] as const);
  const fruit = object.split(' ').at(-1) ?? object;
  return {
    beats: [
      [
        `${hero.His} best friend was ${helper.name} the ${helper.kind}. They met every day at ${place}.`,
        `Every day ${hero.he} played at ${place} with ${helper.name} the ${helper.kind}.`,
      ],
      [
        `One day both of them found ${object} at the same time.`,
        `One afternoon they saw ${object} in a tree, and both wanted to have it.`,
      ],
      [
        `"It is mine!" cried ${hero.name}. "No, I saw it first!" cried ${helper.name}.`,
        `"I saw it first," said ${hero.name}. "That is not true," said ${helper.name}.`,
      ],
      [
        `They pulled and pushed until the ${fruit} fell into the river and was gone.`,
        `They shouted at each other for so long that a bird came and took the ${fruit} away.`,
      ],
      [
        `They were so angry that each went home without a word.`,
        `"I will never play with you again," said ${helper.name}, and went away.`,
      ],
      [
        `The next day was long and empty. ${hero.name} missed ${hero.his} friend.`,
        `For three days they did not speak, and ${hero.name} felt very lonely.`,
      ],
      [
        `So ${hero.he} made ${food} and brought it to ${helper.name}. "I am sorry," ${hero.he} said. "You are more important than any ${fruit}."`,
        `Then ${hero.he} took ${food} under ${hero.his} arm and knocked at ${helper.name}'s door. "Please forgive me," ${hero.he} said.`,
      ],
      [
        `"I am sorry, too," said ${helper.name}. They shared everything, and they never fought about such a thing again.`,
        `${helper.name} smiled. "I missed you," ${helper.he} said. They cut the food in two halves, and both were happy.`,
      ],
    ],
    questions: [
      {
        ask: ['Why did they fight?', 'What did they fight about?', `Why was ${helper.name} angry?`],
        answer: [`They fought about ${object}.`, `Both of them wanted to have ${object}.`],
      },
      {
        ask: [`What did ${hero.name} bring?`, `How did they make peace?`],
        answer: [`${hero.name} brought ${food} and said sorry.`],
      },
    ],
    end: `${hero.name} said sorry, and ${hero.he} and ${helper.name} were friends again.`,
  };
};
