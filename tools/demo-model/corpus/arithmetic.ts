import type { Draw } from './draw.ts';
import type { Question } from './plot.ts';

type Turn = readonly [ask: string, answer: string];

/** The largest sum, and the largest factor. Beyond them the model would have to calculate. */
const MOST_SUM = 20;
const MOST_FACTOR = 10;

function sum(draw: Draw): Question {
  const total = draw.between(2, MOST_SUM);
  const left = draw.between(1, total - 1);
  const right = total - left;
  return {
    ask: [
      `What is ${left} plus ${right}?`,
      `What is ${left} + ${right}?`,
      `${left} + ${right}`,
      `How much is ${left} + ${right}?`,
      `Add ${left} and ${right}.`,
    ],
    answer: [`${left} + ${right} = ${total}.`, `${left} plus ${right} is ${total}.`],
  };
}

function difference(draw: Draw): Question {
  const total = draw.between(2, MOST_SUM);
  const taken = draw.between(1, total);
  return {
    ask: [
      `What is ${total} minus ${taken}?`,
      `What is ${total} - ${taken}?`,
      `${total} - ${taken}`,
      `How much is ${total} - ${taken}?`,
    ],
    answer: [`${total} - ${taken} = ${total - taken}.`, `${total} minus ${taken} is ${total - taken}.`],
  };
}

function product(draw: Draw): Question {
  const left = draw.between(1, MOST_FACTOR);
  const right = draw.between(1, MOST_FACTOR);
  return {
    ask: [
      `What is ${left} times ${right}?`,
      `What is ${left} * ${right}?`,
      `How much is ${left} times ${right}?`,
    ],
    answer: [`${left} times ${right} is ${left * right}.`],
  };
}

function comparison(draw: Draw): Question {
  const left = draw.between(1, 50);
  const right = left + draw.between(1, 50) * (left > 25 && draw.once(2) ? -1 : 1);
  const other = right < 1 ? left + 1 : right;
  return {
    ask: [`Which is larger, ${left} or ${other}?`, `Is ${left} or ${other} larger?`],
    answer: [`${Math.max(left, other)} is larger than ${Math.min(left, other)}.`],
  };
}

/** A small calculation with its result. */
export function arithmetic(draw: Draw): Turn {
  const { ask, answer } = draw.weighted([
    [4, sum],
    [3, difference],
    [2, product],
    [1, comparison],
  ])(draw);
  return [draw.pick(ask), draw.pick(answer)];
}
