import type { PlotMaker } from './plot.ts';
import { a } from './words.ts';

/** Somebody who is afraid of something learns that it is not so bad. */
export const fear: PlotMaker = ({ hero, helper, place }, draw) => {
  const [fright, sign, lesson] = draw.pick([
    ['the dark', 'When the sun went down', 'look up and count the stars'],
    ['thunder', 'When the sky was grey', 'sing a song, louder than the storm'],
    ['deep water', 'When the others went swimming', 'go in slowly, one step after another'],
    ['high places', 'When the others climbed the trees', 'look up and never down'],
    ['strangers', 'When somebody came along the road', 'smile first and say hello'],
  ] as const);
  return {
    beats: [
      [
        `There was only one problem: ${hero.name} was afraid of ${fright}.`,
        `But ${hero.name} had a secret. ${hero.He} was afraid of ${fright}.`,
        `Nobody knew that ${hero.he} was afraid of ${fright}.`,
      ],
      [
        `${sign}, ${hero.he} ran home and hid under the blanket.`,
        `${sign}, ${hero.he} stayed at home and shook with fear.`,
        `${sign}, ${hero.name} closed ${hero.his} eyes and wished to be far away.`,
      ],
      [
        `One day ${hero.he} met ${helper.name} the ${helper.kind} near ${place}.`,
        `One evening ${a(helper.kind)} called ${helper.name} came to visit.`,
        `At ${place} there lived ${a(helper.kind)} called ${helper.name}, who was afraid of nothing.`,
      ],
      [
        `"Why do you hide?" asked ${helper.name}.`,
        `"Come with me," said ${helper.name}. But ${hero.name} did not move.`,
        `"What is wrong?" asked ${helper.name}. "You look pale."`,
      ],
      [
        `"I am afraid of ${fright}," said ${hero.name} in a small voice.`,
        `"Please do not laugh," said ${hero.name}. "I am afraid of ${fright}."`,
      ],
      [
        `${helper.name} did not laugh. "I was afraid of it, too," ${helper.he} said. "I will show you what I do. You must ${lesson}."`,
        `"Everybody is afraid of something," said ${helper.name}. "There is a trick. You must ${lesson}."`,
      ],
      [
        `They tried it together that same day. At first ${hero.his} knees were shaking, but ${helper.name} held ${hero.his} hand.`,
        `${hero.name} took a deep breath and tried it, and ${helper.name} stayed close to ${hero.him} all the time.`,
        `The next time ${hero.name} did as ${helper.name} had said. It was hard at first, then it became easier.`,
      ],
      [
        `After a while ${hero.he} noticed that the fear was gone. "I did it!" ${hero.he} called.`,
        `And see, it was not so bad at all! ${hero.name} laughed out loud.`,
        `From that day on ${hero.name} was not afraid of ${fright} any more.`,
      ],
    ],
    questions: [
      {
        ask: [`What was ${hero.name} afraid of?`, `What was the ${hero.kind} afraid of?`],
        answer: [`${hero.name} was afraid of ${fright}.`, `${hero.He} was afraid of ${fright}.`],
      },
      {
        ask: [`What did ${helper.name} teach ${hero.name}?`, 'What was the trick?'],
        answer: [`${helper.name} taught ${hero.him} to ${lesson}.`],
      },
    ],
    end: `${hero.name} was not afraid of ${fright} any more, thanks to ${helper.name}.`,
  };
};

/** A race that is lost, and a friend who is won. */
export const race: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const prize = draw.pick(['a golden cup', 'a silver bell', 'a big cake', 'a red ribbon'] as const);
  const trouble = draw.pick(['a hole', 'a deep ditch', 'the mud', 'a thorn bush'] as const);
  return {
    beats: [
      [
        `Every year there was a great race to ${place}, and the winner got ${prize}.`,
        `One day there was a race from the village to ${place}. The prize was ${prize}.`,
        `In summer everybody came together for the race to ${place}. Who won it got ${prize}.`,
      ],
      [
        `${hero.name} wanted to win more than anything and ran every morning before breakfast.`,
        `${hero.name} had trained for weeks. "This time I will win," ${hero.he} said.`,
        `${hero.He} had never won before, but this time ${hero.he} felt ready.`,
      ],
      [
        `The race began, and soon ${hero.name} was in front of all the others.`,
        `When the bell rang, everybody ran, and ${hero.name} was the fastest of all.`,
        `Off they went! ${hero.name} ran like the wind and left the others behind.`,
      ],
      [
        `But then ${hero.he} heard a cry. ${helper.name} the ${helper.kind} had fallen into ${trouble}.`,
        `Halfway there ${hero.he} saw ${a(helper.kind)} named ${helper.name}, who had fallen into ${trouble}.`,
        `Suddenly somebody called for help. It was ${helper.name} the ${helper.kind}, stuck in ${trouble}.`,
      ],
      [
        `"My leg hurts," said ${helper.name}. "I cannot get out alone."`,
        `"Please help me," said ${helper.name}, and a tear ran down ${helper.his} face.`,
      ],
      [
        `${hero.name} looked at the road and then at ${helper.name}. ${hero.He} stopped and pulled ${helper.him} out.`,
        `${hero.name} did not think twice. ${hero.He} turned around and helped ${helper.him} out of there.`,
      ],
      [
        `The others ran past them, and somebody else won ${prize}.`,
        `They came in last, side by side, and ${prize} went to somebody else.`,
      ],
      [
        `But ${hero.name} was not sad. "I have won a friend," ${hero.he} said, and in the evening they ate ${food} together.`,
        `Still everybody cheered for them. "You are the real winner," said ${helper.name}, and shared ${food} with ${hero.him}.`,
        `"A friend is better than ${prize}," said ${hero.name}, and ${helper.name} gave ${hero.him} ${food}.`,
      ],
    ],
    questions: [
      {
        ask: ['What was the prize?', 'What did the winner get?'],
        answer: [`The prize was ${prize}.`, `The winner got ${prize}.`],
      },
      {
        ask: [`Did ${hero.name} win the race?`, `Did the ${hero.kind} win?`, 'Who won the race?'],
        answer: [
          `No, somebody else won, because ${hero.name} stopped to help ${helper.name}.`,
          `Somebody else won the race. ${hero.name} stopped to help ${helper.name}.`,
        ],
      },
      {
        ask: [`What happened to ${helper.name}?`, `Why did ${hero.name} stop?`],
        answer: [`${helper.name} had fallen into ${trouble}.`],
      },
    ],
    end: `${hero.name} lost the race, but ${hero.he} and ${helper.name} became friends.`,
  };
};

/** Somebody in need is heard and pulled out. */
export const rescue: PlotMaker = ({ hero, helper, place, food }, draw) => {
  const [trap, tool] = draw.pick([
    ['an old well', 'a rope'],
    ['the mud', 'a long branch'],
    ['a net', 'a sharp stone'],
    ['a deep hole', 'a ladder'],
    ['the cold water', 'a rope'],
  ] as const);
  return {
    beats: [
      [
        `One evening ${hero.name} was on the way home from ${place}.`,
        `One day ${hero.name} was picking berries near ${place}.`,
        `It was a foggy morning, and ${hero.he} was walking along ${place}.`,
      ],
      [
        `Suddenly ${hero.he} heard a voice. "Help! Help!" it called.`,
        `"Help me!" somebody called from far away. ${hero.name} stopped and listened.`,
        `Then ${hero.he} heard a strange sound, as if somebody was crying.`,
      ],
      [
        `${hero.He} followed the voice and found ${helper.name} the ${helper.kind}, caught in ${trap}.`,
        `${hero.He} ran as fast as ${hero.he} could. There was ${a(helper.kind)} in ${trap}! ${helper.His} name was ${helper.name}.`,
        `It was ${a(helper.kind)} named ${helper.name}, who sat in ${trap} and could not get out.`,
      ],
      [
        `"Do not be afraid," said ${hero.name}. "I will get you out."`,
        `"Hold on!" called ${hero.name}. "I am coming."`,
        `"I have been here all night," said ${helper.name}. "Nobody heard me."`,
      ],
      [
        `${hero.name} thought for a moment. Then ${hero.he} remembered that there was ${tool} at home, and ran to get it.`,
        `${hero.He} looked around and found ${tool}. "This will do," ${hero.he} said.`,
        `With empty hands it was not possible. So ${hero.he} fetched ${tool}.`,
      ],
      [
        `It was hard work, but with ${tool} ${hero.he} got ${helper.name} out of ${trap}.`,
        `Slowly, very slowly, and with the help of ${tool}, ${helper.name} came out of ${trap}.`,
      ],
      [
        `"You have saved my life," said ${helper.name}. "How can I thank you?"`,
        `${helper.name} was wet and tired, but ${helper.he} was free. "Thank you," ${helper.he} said.`,
      ],
      [
        `"Just be my friend," said ${hero.name}. They went home together and ate ${food}.`,
        `${hero.name} took ${helper.him} home and gave ${helper.him} ${food}, and since then they have been best friends.`,
        `From that day on the two met every week, and ${helper.name} always brought ${food}.`,
      ],
    ],
    questions: [
      {
        ask: [
          `Where was ${helper.name}?`,
          `What happened to ${helper.name}?`,
          `Why did ${helper.name} need help?`,
        ],
        answer: [
          `${helper.name} was caught in ${trap}.`,
          `${helper.name} was in ${trap} and could not get out.`,
        ],
      },
      {
        ask: [`How did ${hero.name} save ${helper.name}?`, `What did ${hero.name} use?`],
        answer: [
          `${hero.name} got ${helper.him} out with ${tool}.`,
          `${hero.He} used ${tool} to get ${helper.name} out.`,
        ],
      },
      {
        ask: ['Who was saved?', `Who did ${hero.name} save?`, `Who did the ${hero.kind} save?`],
        answer: [`${hero.name} saved ${helper.name} the ${helper.kind}.`],
      },
    ],
    end: `${hero.name} saved ${helper.name} from ${trap}, and they became best friends.`,
  };
};

/** An art that is learnt with patience. */
export const learning: PlotMaker = ({ hero, helper, place }, draw) => {
  const [art, did, show] = draw.pick([
    ['sing', 'sang', 'sang so well that even the birds were quiet'],
    ['dance', 'danced', 'danced so lightly that everybody clapped'],
    ['play the flute', 'played', 'played so well that nobody wanted to go home'],
    ['paint', 'painted', 'painted a picture of the whole village'],
    ['swim', 'swam', 'swam across the lake and back again'],
    ['bake bread', 'baked', 'baked bread for the whole village'],
    ['fly a kite', 'tried', 'let the kite fly higher than the clouds'],
  ] as const);
  return {
    beats: [
      [
        `More than anything ${hero.name} wanted to ${art}.`,
        `${hero.name} had a dream: ${hero.he} wanted to learn to ${art}.`,
        `Every day ${hero.name} wished that ${hero.he} could ${art}.`,
      ],
      [
        `But the first time ${hero.he} tried, it went wrong, and the others laughed.`,
        `${hero.He} tried it alone, but it did not work at all.`,
        `"You will never learn to ${art}," said the others, and that made ${hero.him} sad.`,
      ],
      [
        `So ${hero.he} went to ${place} to be alone.`,
        `${hero.He} walked to ${place} and sat down on a stone.`,
      ],
      [
        `There ${hero.he} met ${a(helper.kind)} called ${helper.name}. "Why are you here all alone?" ${helper.he} asked.`,
        `${helper.name} the ${helper.kind} sat down next to ${hero.him}. "Tell me what is wrong," ${helper.he} said.`,
      ],
      [
        `"I want to ${art}, but I cannot do it," said ${hero.name}.`,
        `"I am just not good enough," said ${hero.name}. "I will never learn to ${art}."`,
      ],
      [
        `"Nobody can do it on the first day," said ${helper.name}. "I will teach you. Come back tomorrow."`,
        `"You only need time," said ${helper.name}. "Let us practise together every day."`,
      ],
      [
        `They met every morning, and ${hero.name} ${did} again and again. Every day it was a little better.`,
        `All through the summer ${hero.name} ${did} with ${helper.name}, in sun and in rain, and never gave up.`,
      ],
      [
        `When the village had its feast, ${hero.name} ${show}. ${helper.name} was very proud.`,
        `One day the others came to see it. ${hero.name} ${show}, and nobody laughed any more.`,
        `In autumn ${hero.name} ${show}. "I knew that you could do it," said ${helper.name}.`,
      ],
    ],
    questions: [
      {
        ask: [`What did ${hero.name} want to learn?`, `What did the ${hero.kind} want?`],
        answer: [`${hero.name} wanted to learn to ${art}.`, `${hero.He} wanted to ${art}.`],
      },
      {
        ask: [`Who was the teacher?`, `Who taught ${hero.name}?`],
        answer: [`${helper.name} the ${helper.kind} taught ${hero.name} to ${art}.`],
      },
    ],
    end: `${hero.name} learned to ${art}, and ${helper.name} was very proud.`,
  };
};
