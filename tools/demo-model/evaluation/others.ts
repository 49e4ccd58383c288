import { arithmetic } from '../corpus/arithmetic.ts';
import { Draw } from '../corpus/draw.ts';
import { ask, type Sampling } from './ask.ts';

/** A question beside the stories, and what its answer must have. */
interface Case {
  readonly kind: string;
  readonly question: string;
  readonly expected: RegExp;
}

const TIERKV: readonly (readonly [question: string, expected: RegExp])[] = [
  ['What is TierKV?', /Node\.js|three tiers/],
  ['Can you tell me what TierKV is?', /Node\.js|three tiers/],
  ['What are the three tiers of TierKV?', /L1.*L2.*L3/],
  ['Which storage backends does it have?', /redis/],
  ['How do I attach storage to the server?', /storage attach/],
  ['How do I detach the backend?', /storage detach/],
  ['How can I serve my own GGUF model?', /--model-path/],
  ['Does it speak the OpenAI API?', /OpenAI/],
];

const BEYOND = [
  'What is the capital of France?',
  'Who won the world cup?',
  'Write a Python program that sorts a list.',
  'What is the meaning of life?',
  'How do I cook rice?',
  'Translate good morning into German.',
];

const GREETINGS = ['Hello!', 'Hi there!', 'Good morning!', 'How are you?', 'Who are you?'];

/** Sums that are asked; some of them were in training, as there are not many small sums. */
const SUMS = 20;

function cases(): Case[] {
  const sums = Array.from({ length: SUMS }, (_, i): Case => {
    const [question, answer] = arithmetic(new Draw(`evaluation/sum/${i}`));
    const numbers = answer.match(/\d+/g) ?? [];
    // Of a comparison the first number is the result, of a calculation the last.
    const result = answer.includes('larger') ? numbers[0] : numbers.at(-1);
    const place = answer.includes('larger') ? `^${result} ` : ` ${result}\\.$`;
    return { kind: 'small sums', question, expected: new RegExp(place) };
  });
  return [
    ...sums,
    ...TIERKV.map(([question, expected]) => ({ kind: 'TierKV', question, expected })),
    ...BEYOND.map((question) => ({
      kind: 'declines what it cannot know',
      question,
      expected: /do not know that|too hard/,
    })),
    ...GREETINGS.map((question) => ({
      kind: 'greetings',
      question,
      expected: /^(hello|hi|good morning|i am|very well)\b/i,
    })),
  ];
}

/** The share of right answers, by kind of question; `wrong` is told of each other one. */
export async function askOthers(
  url: string,
  sampling: Sampling,
  wrong: (question: string, answer: string) => void,
): Promise<Map<string, number[]>> {
  const marks = new Map<string, number[]>();
  for (const { kind, question, expected } of cases()) {
    const answer = await ask(url, [{ role: 'user', content: question }], sampling);
    const right = answer.ended && expected.test(answer.text);
    if (!right) wrong(question, answer.text);
    marks.set(kind, [...(marks.get(kind) ?? []), right ? 1 : 0]);
  }
  return marks;
}
