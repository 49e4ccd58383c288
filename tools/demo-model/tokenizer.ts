import { type Tokenizer, train } from '../../src/models/bpe.ts';
import { SPECIALS } from '../../src/models/vocabulary.ts';
import { conversation } from './corpus/conversation.ts';
import { Draw } from './corpus/draw.ts';
import { SHAPE } from './shape.ts';

/** Conversations that the vocabulary is trained on: enough that every word of the corpus occurs. */
const SAMPLE = 6000;

/** The demo model's vocabulary; always the same. */
export function demoTokenizer(): Tokenizer {
  const texts: string[] = [];
  for (let i = 0; i < SAMPLE; i++) {
    for (const { role, content } of conversation(new Draw(`vocabulary/${i}`), 1)) {
      texts.push(`${role}\n${content}\n`);
    }
  }
  return train(texts.join(''), SHAPE.vocabulary, SPECIALS);
}
