import type { PlotMaker } from './plot.ts';
import { a, capital } from './words.ts';

/** A hungry winter, and a gift in spring. */
export const winter: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const [gift, where] = draw.pick([
    ['flowers', 'the meadow'],
    ['fresh berries', 'the forest'],
    ['wild honey', 'the trees'],
    ['sweet cherries', 'the garden'],
  ] as const);
  return {
    beats: [
      [
        `The winter was long, and snow lay on ${place}.`,
        `That year the winter came early, and everything was white.`,
        `One winter it was so cold that even the river was frozen.`,
      ],
      [
        `${hero.name} had nothing left to eat.`,
        `Soon there was no food in ${hero.his} house.`,
        `${hero.He} had eaten the last crumb, and ${hero.his} belly was empty.`,
      ],
      [
        `So ${hero.he} put on a warm scarf and walked through the snow to look for food.`,
        `"I must find something," said ${hero.name}, and went out into the cold wind.`,
        `${hero.He} walked to ${place}, but there was nothing but ice and snow.`,
      ],
      [
        `After a while ${hero.he} saw a light. It came from the house of ${helper.name} the ${helper.kind}.`,
        `When ${hero.he} could not walk any more, ${a(helper.kind)} called ${helper.name} found ${hero.him}.`,
        `At the end of the road ${hero.he} knocked at a door, and ${a(helper.kind)} opened. It was ${helper.name}.`,
      ],
      [
        `"You look cold," said ${helper.name}. "Come in and sit by the fire."`,
        `"Are you hungry?" asked ${helper.name}. "There is room for two at my table."`,
        `"Come in quickly," said ${helper.name}. "Nobody should be alone in the snow."`,
      ],
      [
        `${helper.He} gave ${hero.him} ${food}, and slowly ${hero.name} felt warm again.`,
        `They shared ${food} and told each other stories until late at night.`,
        `There was ${food} on the table, and ${hero.name} ate and ate.`,
      ],
      [
        `"I will never forget this," said ${hero.name}.`,
        `"You have saved me," said ${hero.name}. "One day I will do something for you."`,
        `${hero.name} stayed until the storm was over.`,
      ],
      [
        `When spring came, ${hero.name} brought a basket of ${gift} from ${where} to ${helper.name}.`,
        `In spring, when the sun was warm, ${hero.he} gathered ${gift} in ${where} and carried them all to ${helper.name}.`,
        `Spring came at last, and the first thing ${hero.name} did was to bring ${helper.name} a basket full of ${gift}.`,
      ],
    ],
    questions: [
      {
        ask: [`Why did ${hero.name} go out?`, `Why did the ${hero.kind} go out into the snow?`],
        answer: [`${hero.name} went out because ${hero.he} had nothing left to eat.`],
      },
      {
        ask: [`What did ${helper.name} give ${hero.name}?`, `What did they eat?`],
        answer: [`${helper.name} gave ${hero.him} ${food}.`, `They ate ${food}.`],
      },
      {
        ask: [`What did ${hero.name} bring in spring?`, `What was the gift?`],
        answer: [`In spring ${hero.name} brought ${helper.name} a basket of ${gift}.`],
      },
    ],
    end: `In spring ${hero.name} thanked ${helper.name} with a basket of ${gift}.`,
  };
};

/** A feast that lacks one thing. */
export const feast: PlotMaker = ({ hero, helper, place }, draw) => {
  const [dish, missing, source] = draw.pick([
    ['a big cake', 'eggs', 'a full basket of eggs'],
    ['a pot of soup', 'carrots', 'the best carrots of the year'],
    ['a berry pie', 'sugar', 'a bag of sugar'],
    ['pancakes', 'milk', 'a jug of fresh milk'],
    ['bread', 'flour', 'a sack of flour'],
    ['honey cookies', 'honey', 'two jars of honey'],
  ] as const);
  const day = draw.pick(['birthday', 'summer feast', 'harvest feast', 'party'] as const);
  return {
    beats: [
      [
        `Tomorrow was the ${day}, and ${hero.name} wanted to make ${dish} for all ${hero.his} friends.`,
        `${hero.name} was excited, because the ${day} was near. "I will make ${dish}," ${hero.he} said.`,
        `For the ${day} ${hero.he} wanted to surprise everybody with ${dish}.`,
      ],
      [
        `${hero.He} put everything on the table, but oh no! Of ${missing} there was nothing left in the house.`,
        `But when ${hero.he} began, ${hero.he} saw that the ${missing} had run out.`,
        `Then ${hero.he} looked into the box, and it was empty: no ${missing} at all.`,
      ],
      [
        `${hero.name} ran to ${place}, but nobody there had any ${missing}.`,
        `${hero.He} went to the market, but it was closed.`,
        `${hero.He} sat down and did not know what to do.`,
      ],
      [
        `On the way back ${hero.he} met ${helper.name} the ${helper.kind}. "Why do you look so worried?" asked ${helper.name}.`,
        `Just then ${a(helper.kind)} named ${helper.name} looked in at the window. "What is the matter?" ${helper.he} asked.`,
        `${helper.name} the ${helper.kind}, who lived next door, came to see ${hero.him}. "Can I help?" ${helper.he} asked.`,
      ],
      [
        `"I need ${missing} for the ${day}," said ${hero.name}.`,
        `"I want to make ${dish}, but I have no ${missing}," said ${hero.name}.`,
      ],
      [
        `${helper.name} smiled. "Wait here," ${helper.he} said, and came back with ${source}.`,
        `"That is easy," said ${helper.name}, and brought ${source}.`,
        `"I have more than I need," said ${helper.name}, and gave ${hero.him} ${source}.`,
      ],
      [
        `Together they worked all evening, and the whole house smelled wonderful.`,
        `They mixed and stirred and sang, and soon everything was ready.`,
        `They cooked together until midnight, and they laughed a lot.`,
      ],
      [
        `At the ${day} everybody ate ${dish}, and everybody said it was the best they had ever had.`,
        `The next day all the friends came, and nothing was left of what they had made. It was the best ${day} ever.`,
        `The ${day} was a great success, and ${hero.name} gave the first piece to ${helper.name}.`,
      ],
    ],
    questions: [
      {
        ask: [`What did ${hero.name} want to make?`, `What did the ${hero.kind} want to make?`],
        answer: [`${hero.name} wanted to make ${dish}.`, `${hero.He} wanted to make ${dish} for the ${day}.`],
      },
      {
        ask: ['What was missing?', `What did ${hero.name} need?`],
        answer: [`${hero.name} needed ${missing}.`],
      },
      {
        ask: [`What did ${helper.name} bring?`, `What did the ${helper.kind} bring?`],
        answer: [`${helper.name} brought ${source}.`],
      },
    ],
    end: `${hero.name} and ${helper.name} made ${dish} together, and everybody at the ${day} was happy.`,
  };
};

/** A broken house, mended by two. */
export const mending: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const [part, stuff] = draw.pick([
    ['roof', 'straw'],
    ['door', 'wood'],
    ['window', 'glass'],
    ['wall', 'stones'],
    ['fence', 'wood'],
  ] as const);
  const storm = draw.pick(['a big storm', 'a strong wind', 'heavy rain', 'a wild storm'] as const);
  return {
    beats: [
      [
        `One night ${storm} came over the land.`,
        `In autumn there was ${storm}, and it did not stop for two days.`,
        `Then came ${storm}, louder than any before.`,
      ],
      [
        `In the morning the ${part} of ${hero.name}'s house was broken.`,
        `When it was over, ${hero.name} saw that the ${part} of ${hero.his} house was broken.`,
        `It broke the ${part} of the house, and everything inside was wet.`,
      ],
      [
        `${hero.name} tried to mend the ${part}, but it was too much work for one alone.`,
        `"How can I mend this ${part} all by myself?" said ${hero.name} and sighed.`,
        `${hero.He} had no ${stuff}, and ${hero.he} did not know how to mend a ${part}.`,
      ],
      [
        `${capital(a(helper.kind))} named ${helper.name} was passing by and saw the broken ${part}.`,
        `${helper.name} the ${helper.kind} heard about it and came at once.`,
        `The next day ${helper.name} the ${helper.kind} knocked at the door.`,
      ],
      [
        `"I know how to do this," said ${helper.name}. "We only need some ${stuff}."`,
        `"Let me help you," said ${helper.name}. "I know where to find ${stuff}."`,
        `"Two can do more than one," said ${helper.name}. "Let us get some ${stuff}."`,
      ],
      [
        `They went to ${place} and carried ${stuff} back until the sun went down.`,
        `They fetched ${stuff} from ${place} and worked the whole day.`,
        `From ${place} they brought ${stuff}, and then they worked hard for three days.`,
      ],
      [
        `At last the ${part} was stronger and more beautiful than before.`,
        `In the end the ${part} was like new.`,
        `When they were done, they looked at the new ${part} and were proud.`,
      ],
      [
        `${hero.name} made ${food}, and they ate it together in the warm house while the wind blew outside.`,
        `"Now no storm can hurt us," said ${hero.name}, and they had ${food} by the fire.`,
        `"You must always have a place at my table," said ${hero.name}, and brought ${food} for both of them.`,
      ],
    ],
    questions: [
      {
        ask: ['What was broken?', `What did the storm break?`],
        answer: [`The ${part} of ${hero.name}'s house was broken.`],
      },
      {
        ask: [`What did they use to mend the ${part}?`, 'What did they need?'],
        answer: [`They used ${stuff} from ${place}.`],
      },
    ],
    end: `${hero.name} and ${helper.name} mended the ${part} together and ate ${food} by the fire.`,
  };
};
