import { describe, expect, it } from 'vitest';
import { sampled, tokens, useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny');
const PROMPT = tokens(40);

/** The text of an answer up to its end token, and whether it has one. */
async function follow(gbnf: string, params: Parameters<typeof sampled>[3] = {}, count = 40) {
  const answer = await sampled(tiny.engine, PROMPT, count, params, gbnf);
  const end = answer.findIndex((token) => tiny.engine.isEndOfGeneration(token));
  const generated = end < 0 ? answer : answer.slice(0, end);
  const bytes = Buffer.concat(generated.map((token) => tiny.vocabulary.piece(token, true)));
  return { text: bytes.toString(), ended: end >= 0, tokens: generated.length, after: answer.slice(end) };
}

const wantEnd = () =>
  Array.from({ length: tiny.engine.model.vocabularySize }, (_, token) => token)
    .filter((token) => tiny.engine.isEndOfGeneration(token))
    .map((token) => ({ token, bias: 100 }));

const CASES: [gbnf: string, matches: RegExp][] = [
  ['root ::= "yes" | "no"', /^(yes|no)$/],
  ['root ::= [0-9]{3} "-" [a-f]{1,4} "!"', /^\d{3}-[a-f]{1,4}!$/],
  [
    'root ::= "{" ws "\\"name\\":" ws "\\"" [A-Z] [a-z]{0,6} "\\"" ws "}"\nws ::= " "?',
    /^\{ ?"name": ?"[A-Z][a-z]{0,6}" ?\}$/,
  ],
  ['root ::= "東" [ä-ü]{2} "👩"', /^東[ä-ü]{2}👩$/u],
];

describe('a grammar', () => {
  it('is followed by the greedy answer', async () => {
    for (const [gbnf, matches] of CASES) {
      // The end is wanted most: it comes as soon as the grammar allows it.
      const { text, ended } = await follow(gbnf, { logitBias: wantEnd() });
      expect(text).toMatch(matches);
      expect(ended).toBe(true);
    }
  });

  it('is followed by every answer that is drawn', async () => {
    for (const [gbnf, matches] of CASES) {
      const texts = new Set<string>();
      for (let seed = 0; seed < 12; seed++) {
        const { text, ended } = await follow(gbnf, { temperature: 3, seed, logitBias: wantEnd() });
        expect(ended).toBe(true);
        expect(text).toMatch(matches);
        texts.add(text);
      }
      expect(texts.size).toBeGreaterThan(1);
    }
  });

  it('is followed with penalties and few candidates too', async () => {
    const params = { temperature: 1, topK: 1, repetitionPenalty: 2, frequencyPenalty: 1 };
    const { text } = await follow('root ::= [0-9]+', params);
    expect(text).toMatch(/^\d+$/);
  });

  it('gives the same answer for the same seed', async () => {
    const params = { temperature: 2, seed: 3 };
    const first = await follow('root ::= [a-z ]+', params);
    expect(await follow('root ::= [a-z ]+', params)).toEqual(first);
    expect(await follow('root ::= [a-z ]+', { ...params, seed: 4 })).not.toEqual(first);
  });

  it('lets the end through only where the answer may end', async () => {
    const logitBias = wantEnd();
    expect(await follow('root ::= "abc"', { logitBias })).toMatchObject({ text: 'abc', ended: true });
    expect(await follow('root ::= [0-9]+', { logitBias })).toMatchObject({ tokens: 1, ended: true });
    expect(await follow('root ::= "a"*', { logitBias })).toMatchObject({ text: '', ended: true });
  });

  it('allows nothing but the end after its end', async () => {
    const { after } = await follow('root ::= "abc"', { temperature: 1 }, 10);
    expect(after.length).toBeGreaterThan(5);
    for (const token of after) expect(tiny.engine.isEndOfGeneration(token)).toBe(true);
  });

  it('is followed up to the smallest length, but a complete answer ends', async () => {
    const logitBias = wantEnd();
    for (const params of [{}, { temperature: 1, seed: 5 }]) {
      const long = await follow('root ::= [0-9]+', { ...params, logitBias, minTokens: 6 });
      expect(long).toMatchObject({ tokens: 6, ended: true });
      const short = await follow('root ::= "abc"', { ...params, logitBias, minTokens: 30 });
      expect(short).toMatchObject({ text: 'abc', ended: true });
    }
  });

  it('that cannot be compiled is refused', async () => {
    const bad = [
      '',
      ' \n',
      'foo ::= "a"',
      'root ::= undefined-rule',
      'root ::= root "a" | "b"',
      'root ::= [',
      'root ::= "a',
      'root ::= ("a"',
      'no grammar at all',
    ];
    for (const gbnf of bad) {
      await expect(tiny.engine.compileGrammar(gbnf), gbnf).rejects.toMatchObject({ code: 'grammar_failed' });
    }
  });

  it('that no sampler took is closed by its owner, once or twice', async () => {
    const grammar = await tiny.engine.compileGrammar('root ::= "a"');
    grammar.close();
    grammar.close();
  });
});
