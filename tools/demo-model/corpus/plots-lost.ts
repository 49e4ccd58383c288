import type { PlotMaker } from './plot.ts';
import { a, capital, SPOTS, THING_TRAITS, THINGS } from './words.ts';

/** Something dear is lost, looked for, and found with a friend's help. */
export const lost: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const thing = draw.pick(THINGS);
  const dear = `${draw.pick(THING_TRAITS)} ${thing}`;
  const spot = draw.pick(SPOTS);
  return {
    beats: [
      [
        `${hero.name} had ${a(dear)}, and ${hero.he} loved it more than anything.`,
        `The thing that ${hero.name} loved most was ${a(dear)}.`,
        `${hero.He} owned ${a(dear)}, a present from ${hero.his} grandmother.`,
      ],
      [
        `One morning the ${thing} was gone.`,
        `But one day ${hero.name} could not find the ${thing}.`,
        `One evening, after a walk to ${place}, the ${thing} was not there any more.`,
      ],
      [
        `${hero.name} looked in every corner, but the ${thing} was nowhere, and ${hero.he} began to cry.`,
        `${hero.He} looked at home and on the way to ${place}, but it was not there. ${hero.name} was very sad.`,
        `${hero.He} searched all day long and found nothing. ${hero.His} heart was heavy.`,
      ],
      [
        `Then ${helper.name} the ${helper.kind} came by. "Why are you so sad?" ${helper.he} asked.`,
        `Near ${place} ${hero.he} met ${a(helper.kind)} called ${helper.name}. "What is wrong?" asked ${helper.name}.`,
        `${capital(a(helper.kind))} named ${helper.name} heard ${hero.him}. "Can I help you?" ${helper.he} said.`,
      ],
      [
        `"I have lost my ${dear}," said ${hero.name}.`,
        `"My ${thing} is gone," said ${hero.name}, "and I do not know where to look."`,
        `${hero.name} told ${helper.him} about the ${thing}.`,
      ],
      [
        `"Let us look together," said ${helper.name}. "Four eyes see more than two."`,
        `"Do not worry," said ${helper.name}. "We will find it."`,
        `"I will help you," said ${helper.name}, and off they went.`,
      ],
      [
        `They walked slowly to ${place}, and there, ${spot}, something was shining. It was the ${thing}!`,
        `They looked around ${place} for a long time. At last ${helper.name} found the ${thing} ${spot}.`,
        `When the sun went down, ${helper.name} gave a shout. The ${thing} was ${spot}, close to ${place}.`,
      ],
      [
        `${hero.name} was so happy that ${hero.he} danced. ${hero.He} thanked ${helper.name} and shared ${hero.his} ${food} with ${helper.him}.`,
        `"Thank you, ${helper.name}!" said ${hero.name}. That night they sat together and ate ${food}.`,
        `${hero.name} laughed with joy, and to say thank you ${hero.he} made ${food} for ${helper.name}.`,
      ],
    ],
    questions: [
      {
        ask: [`What did ${hero.name} lose?`, `What did the ${hero.kind} lose?`, 'What was lost?'],
        answer: [`${hero.name} lost ${hero.his} ${dear}.`, `${hero.He} lost ${a(dear)}.`],
      },
      {
        ask: [`Where was the ${thing}?`, `Where did they find the ${thing}?`, 'Where was it found?'],
        answer: [`The ${thing} was ${spot}.`, `They found the ${thing} ${spot}, near ${place}.`],
      },
      {
        ask: [`Why was ${hero.name} sad?`, `Why was the ${hero.kind} sad?`],
        answer: [`${hero.name} was sad because ${hero.he} had lost ${hero.his} ${dear}.`],
      },
    ],
    end: `${helper.name} found the ${thing}, and ${hero.name} and ${helper.name} ate ${food} together.`,
  };
};

/** Something is found, and brought back to whom it belongs. */
export const found: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const thing = draw.pick(THINGS);
  const strange = `${draw.pick(THING_TRAITS)} ${thing}`;
  const spot = draw.pick(SPOTS);
  return {
    beats: [
      [
        `One day ${hero.name} went for a walk to ${place}.`,
        `One sunny morning ${hero.he} walked to ${place} all alone.`,
        `After the rain ${hero.name} liked to go to ${place}, and so ${hero.he} did that day.`,
      ],
      [
        `There, ${spot}, lay ${a(strange)}.`,
        `On the way ${hero.he} saw something ${spot}. It was ${a(strange)}!`,
        `${hero.He} stopped, because ${spot} ${hero.he} found ${a(strange)}.`,
      ],
      [
        `"How pretty it is!" said ${hero.name}. "But it is not mine. Somebody must miss it."`,
        `${hero.name} wanted to keep it. But then ${hero.he} thought: "Somebody may be looking for it."`,
        `It was so nice that ${hero.name} held it for a long time. "Whose is it?" ${hero.he} wondered.`,
      ],
      [
        `So ${hero.he} went from door to door and asked, but nobody knew the ${thing}.`,
        `${hero.He} asked everybody on the road, but nobody had lost ${a(thing)}.`,
        `${hero.He} took the ${thing} and set out to find its owner.`,
      ],
      [
        `At last ${hero.he} heard somebody cry. It was ${helper.name} the ${helper.kind}.`,
        `In the evening ${hero.he} met ${a(helper.kind)} who looked very sad. ${helper.His} name was ${helper.name}.`,
        `Behind a hill sat ${a(helper.kind)} named ${helper.name}, with tears in ${helper.his} eyes.`,
      ],
      [
        `"I have lost my ${thing}," said ${helper.name}. "My mother gave it to me."`,
        `"My ${strange} is gone," said ${helper.name}, "and I have looked for it for days."`,
      ],
      [
        `"Is it this one?" asked ${hero.name}, and gave ${helper.him} the ${thing}.`,
        `${hero.name} smiled and held out the ${thing}. "Then this must be yours," ${hero.he} said.`,
      ],
      [
        `${helper.name} jumped with joy and asked ${hero.name} to stay for dinner. There was ${food}.`,
        `${helper.name} could not believe it. To say thank you, ${helper.he} shared ${helper.his} ${food} with ${hero.him}.`,
        `"You are a true friend," said ${helper.name}, and they ate ${food} until the stars came out.`,
      ],
    ],
    questions: [
      {
        ask: [`What did ${hero.name} find?`, `What did the ${hero.kind} find?`, 'What was found?'],
        answer: [`${hero.name} found ${a(strange)}.`, `${hero.He} found ${a(strange)} ${spot}.`],
      },
      {
        ask: [`Whose was the ${thing}?`, `Who had lost the ${thing}?`, 'Who was the owner?'],
        answer: [
          `The ${thing} belonged to ${helper.name} the ${helper.kind}.`,
          `It was ${helper.name}'s ${thing}.`,
        ],
      },
      {
        ask: [`Did ${hero.name} keep the ${thing}?`, `Did the ${hero.kind} keep it?`],
        answer: [`No, ${hero.name} gave the ${thing} back to ${helper.name}.`],
      },
    ],
    end: `${hero.name} gave the ${thing} back to ${helper.name}, and they ate ${food} together.`,
  };
};
