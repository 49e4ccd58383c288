import { openVocabulary } from '../../../src/engine/llama/vocabulary.ts';
import { corpus } from '../../../src/models/corpus.ts';

/** Texts that begin differently, all of a length in tokens or a few less. */
export async function textsOf(modelPath: string, tokens: number, count: number): Promise<string[]> {
  const vocabulary = await openVocabulary(modelPath, 'off');
  const text = corpus();
  const texts: string[] = [];
  for (let number = 0; number < count; number++) {
    const start = number * 1000;
    const whole = (end: number) => `${number}: ${text.slice(start, end)}`;
    let [fits, tooLong] = [start, start + tokens * 16];
    while (tooLong - fits > 1) {
      const middle = (fits + tooLong) >> 1;
      const { length } = await vocabulary.tokenize(whole(middle), true, true);
      if (length > tokens) tooLong = middle;
      else fits = middle;
    }
    texts.push(whole(fits));
  }
  vocabulary.close();
  return texts;
}
