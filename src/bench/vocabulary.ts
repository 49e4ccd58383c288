import { type Random, random } from '../models/random.ts';
import type { Prompt } from './dialect.ts';
import { WORDS } from './words.ts';

/** What prompts are made of, as numbers, and what becomes of an answer. */
export interface Vocabulary {
  /** Whether a number is a token of the server; otherwise it is a word. */
  readonly exact: boolean;
  /** A random token of a text. */
  draw(random: Random): number;
  toPrompt(tokens: readonly number[]): Prompt;
  /** The tokens of an answer, of which the server has told the text and perhaps ids. */
  ofAnswer(text: string, ids: readonly number[]): readonly number[];
}

/**
 * Tokens of the server's own.
 *
 * @param ids those that texts are made of
 */
export function exactVocabulary(ids: readonly number[]): Vocabulary {
  return {
    exact: true,
    draw: ({ below }) => ids[below(ids.length)] ?? 0,
    toPrompt: (tokens) => tokens,
    ofAnswer: (_text, told) => told,
  };
}

/** Words, for servers that tell nothing of their tokens: about right, and equal for equal texts. */
export function wordVocabulary(): Vocabulary {
  const words: string[] = [...WORDS];
  const numbers = new Map(words.map((word, i) => [word, i]));
  const numberOf = (word: string): number => {
    const known = numbers.get(word);
    if (known !== undefined) return known;
    numbers.set(word, words.length);
    return words.push(word) - 1;
  };
  return {
    exact: false,
    draw: ({ below }) => below(WORDS.length),
    toPrompt: (tokens) => tokens.map((token) => words[token]).join(''),
    ofAnswer: (text) => (text.match(/\s*\S+|\s+/g) ?? []).map(numberOf),
  };
}

/** So many tokens, others for every key. */
export function textOf(vocabulary: Vocabulary, key: string, length: number): number[] {
  const chance = random(key);
  return Array.from({ length }, () => vocabulary.draw(chance));
}
