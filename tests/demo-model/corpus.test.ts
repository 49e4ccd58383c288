import { describe, expect, it, test } from 'vitest';
import { arithmetic } from '../../tools/demo-model/corpus/arithmetic.ts';
import { conversation } from '../../tools/demo-model/corpus/conversation.ts';
import { Draw } from '../../tools/demo-model/corpus/draw.ts';
import { isHeldOut } from '../../tools/demo-model/corpus/held-out.ts';
import { heldOutRequests, storyRequest } from '../../tools/demo-model/corpus/requests.ts';
import { PLOTS, questions, tellStory, wordCount } from '../../tools/demo-model/corpus/story.ts';
import { ANIMALS, list, PEOPLE } from '../../tools/demo-model/corpus/words.ts';
import { StoryGrammar } from '../../tools/demo-model/evaluation/grammar.ts';
import { namesIn } from '../../tools/demo-model/evaluation/masks.ts';

const COUNT = 400;
const draws = (key: string) => Array.from({ length: COUNT }, (_, i) => new Draw(`test/${key}/${i}`));

describe('a story', () => {
  const stories = draws('story').map((draw) => {
    const request = storyRequest(draw);
    return { ...request, story: tellStory(draw, request.wish) };
  });

  it('is the same for the same seed, and another for another', () => {
    expect(tellStory(new Draw('seed')).text).toBe(tellStory(new Draw('seed')).text);
    expect(new Set(stories.map(({ story }) => story.text)).size).toBe(COUNT);
  });

  it('has what was asked for', () => {
    for (const { wish, story } of stories) {
      for (const word of Object.values(wish)) expect(story.text).toMatch(new RegExp(`\\b${word}\\b`));
    }
  });

  it('has 90 to 170 words, and exactly two names', () => {
    for (const { story } of stories) {
      const { text, cast } = story;
      expect(wordCount(text), text).toBeGreaterThanOrEqual(90);
      expect(wordCount(text), text).toBeLessThanOrEqual(170);
      expect(namesIn(text).sort()).toEqual([cast.hero.name, cast.helper.name].sort());
    }
  });

  it('comes in every plot', () => {
    expect(new Set(stories.map(({ story }) => story.name))).toEqual(new Set(Object.keys(PLOTS)));
  });

  it('names nobody else in the answers about it', () => {
    for (const { story } of stories) {
      const { hero, helper } = story.cast;
      for (const { ask, answer } of questions(story)) {
        for (const text of [...ask, ...answer].filter((each) => each !== 'Who was the teacher?')) {
          expect([hero.name, helper.name]).toEqual(expect.arrayContaining(namesIn(text)));
          for (const kind of [...ANIMALS, ...PEOPLE]) {
            if (new RegExp(`the ${kind}\\b`).test(text)) expect([hero.kind, helper.kind]).toContain(kind);
          }
        }
      }
    }
  });
});

describe('the grammar that stories are checked by', () => {
  const grammar = new StoryGrammar();
  const { text, cast } = tellStory(new Draw('checked'));

  it('knows every story that the generator tells', () => {
    for (const draw of draws('grammar')) {
      const told = tellStory(draw);
      expect(grammar.check(told.text), told.text).toEqual({ whole: true, beats: 1 });
    }
  });

  const sentences = text.split(/(?<=[.!?]"?) /);
  it.each([
    ['a sentence is missing', sentences.toSpliced(4, 1).join(' ')],
    [
      'two sentences have changed places',
      sentences.toSpliced(3, 2, ...sentences.slice(3, 5).reverse()).join(' '),
    ],
    [
      'a pronoun is wrong',
      text.replace(new RegExp(`\\b${cast.hero.he}\\b`), cast.hero.he === 'he' ? 'she' : 'he'),
    ],
    [
      'a name is wrong',
      text.replace(new RegExp(`${cast.helper.name}(?!.*${cast.helper.name})`, 's'), cast.hero.name),
    ],
    ['it breaks off', text.slice(0, -20)],
    ['a word is doubled', text.replace(' was ', ' was was ').replace(' lived ', ' lived lived ')],
  ])('notices when %s', (_, broken) => {
    expect(broken).not.toBe(text);
    expect(grammar.check(broken).whole).toBe(false);
  });

  it('finds no beats in other texts', () => {
    expect(grammar.check('Hello! How can I help you?')).toEqual({ whole: false, beats: 0 });
  });
});

describe('a conversation', () => {
  const all = draws('conversation').map((draw) => conversation(draw, 3));

  it('alternates between user and assistant', () => {
    for (const messages of all) {
      const roles = messages.filter(({ role }) => role !== 'system').map(({ role }) => role);
      for (const [i, role] of roles.entries()) expect(role).toBe(i % 2 ? 'assistant' : 'user');
      expect(roles.length % 2).toBe(0);
    }
  });

  it('has no wrong article, no gap and no doubled word', () => {
    for (const { content } of all.flat()) {
      expect(content).not.toMatch(/\b[Aa] [aeiou]|\b[Aa]n (?!LLM)[^aeiou]/);
      expect(content).not.toMatch(/undefined|NaN|\[object| {2}|^\s|\s$/);
      expect(content).not.toMatch(/\b(the|a|was|to|of|in) \1\b/);
    }
  });

  it('never asks for a story in words that are kept for the evaluation', () => {
    const asked = all.flat().filter(({ role }) => role === 'user');
    expect(
      asked.filter(
        ({ content }) => content.length < 100 && /story|one about/.test(content) && isHeldOut(content),
      ),
    ).toEqual([]);
    const kept = heldOutRequests(new Draw('held out'), 50).map((request) => request.text);
    expect(new Set(kept).size).toBe(50);
    expect(kept.every(isHeldOut)).toBe(true);
  });
});

test('sums are right', () => {
  for (const draw of draws('sums')) {
    const [, answer] = arithmetic(draw);
    const [, left, sign, right, result] = /^(\d+) (\S+) (\d+) (?:=|is) (\d+)\.$/.exec(answer) ?? [];
    if (!sign) {
      const [, larger, smaller] = /^(\d+) is larger than (\d+)\.$/.exec(answer) ?? [];
      expect(Number(larger), answer).toBeGreaterThan(Number(smaller));
      continue;
    }
    const [a, b] = [Number(left), Number(right)];
    const results = { '+': a + b, plus: a + b, '-': a - b, minus: a - b, times: a * b };
    expect({ [sign]: Number(result) }).toEqual({
      [sign]: Object.entries(results).find(([name]) => name === sign)?.[1],
    });
  }
});

test.each([
  [[], ''],
  [['one'], 'one'],
  [['one', 'two'], 'one and two'],
  [['one', 'two', 'three'], 'one, two and three'],
])('%j is listed as %j', (items, text) => {
  expect(list(items)).toBe(text);
});
