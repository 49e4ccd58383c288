import { stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openVocabulary } from '../../src/engine/llama/vocabulary.ts';
import { DEMO_MODEL } from '../../src/models/demo.ts';
import { conversation } from '../../tools/demo-model/corpus/conversation.ts';
import { Draw } from '../../tools/demo-model/corpus/draw.ts';
import { demoTokenizer } from '../../tools/demo-model/tokenizer.ts';

const trained = demoTokenizer();
let served: Awaited<ReturnType<typeof openVocabulary>>;
beforeAll(async () => {
  served = await openVocabulary(DEMO_MODEL, 'off');
});
afterAll(() => served.close());

it('the file has the vocabulary that the generator still makes', () => {
  expect(served.size).toBe(trained.tokens.length);
  const bytes = (id: number) => Buffer.from(served.piece(id, true));
  for (let id = 0; id < served.size; id += 1) {
    // What is only a part of a character decodes to U+FFFD on both sides.
    expect(bytes(id).toString()).toBe(trained.decode([id]));
  }
});

it('llama.cpp cuts the corpus into the tokens that the model was trained on', async () => {
  for (let i = 0; i < 100; i++) {
    for (const { content } of conversation(new Draw(`test/tokens/${i}`), 2)) {
      expect([...(await served.tokenize(content, false, true))]).toEqual(trained.encode(content));
    }
  }
});

it('a word of a story is one token, mostly', () => {
  const texts = Array.from({ length: 100 }, (_, i) => conversation(new Draw(`test/words/${i}`), 1)).flat();
  const words = texts.reduce((sum, { content }) => sum + content.split(/\s+/).length, 0);
  const tokens = texts.reduce((sum, { content }) => sum + trained.encode(content).length, 0);
  expect(tokens / words).toBeLessThan(1.5);
});

it('the file is at most 8 MB', async () => {
  expect((await stat(DEMO_MODEL)).size).toBeLessThanOrEqual(8e6);
});
