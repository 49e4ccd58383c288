import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitLongRuns } from '../../src/engine/llama/long-runs.ts';
import { openVocabulary } from '../../src/engine/llama/vocabulary.ts';
import { ensureModel } from '../../src/models/store.ts';
import { useModel } from '../support/tiny-engine.ts';

const tiny = useModel('tiny');
const vocabulary = () => tiny.vocabulary;
const plain = (text: string) => vocabulary().tokenize(text, false, false);
const special = (text: string) => vocabulary().tokenize(text, false, true);

function textOf(tokens: Iterable<number>): string {
  const bytes = Buffer.concat([...tokens].map((token) => vocabulary().piece(token, true)));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

describe('a text', () => {
  it('comes back from its tokens', async () => {
    const texts = [
      'hello world',
      'Grüße, 東京! 👩‍👩‍👧‍👦 naïve\r\n\tcode();\u0000\u007f',
      '\ufeffstarts with a mark',
      '  leading and trailing  ',
      '\u200d\u0301',
    ];
    for (const text of texts) expect(textOf(await plain(text))).toBe(text);
  });

  it('comes back from its tokens, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 80 }), async (text) => {
        expect(textOf(await plain(text))).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  it('has U+FFFD in place of half a surrogate pair', async () => {
    expect(textOf(await plain('a\ud800b\udc00'))).toBe('a\ufffdb\ufffd');
  });

  it('that is empty has no token', async () => {
    expect(await plain('')).toEqual(new Int32Array());
    expect(await vocabulary().tokenize('', true, true)).toEqual(new Int32Array());
  });

  it('may be very long and of one letter, of nothing but space, or of anything', async () => {
    const texts = [
      'a'.repeat(200_000),
      ' '.repeat(200_000),
      '\n'.repeat(100_000),
      '東'.repeat(50_000),
      '👩'.repeat(50_000),
      `e${'\u0301'.repeat(50_000)}`,
      '9'.repeat(100_000),
      '<|im_'.repeat(20_000),
      'Grüße, 東京! 👩‍👩‍👧 12345 <b>\n'.repeat(30_000),
    ];
    for (const text of texts) expect(textOf(await plain(text)) === text, text.slice(0, 10)).toBe(true);
  });

  it('shares the tokens of a prefix with other texts, also behind a cut', async () => {
    const shared = `${'x'.repeat(9000)} and then `;
    const [one, other] = [await plain(`${shared}this`), await plain(`${shared}that, which is longer`)];
    const length = (await plain(shared.trimEnd())).length;
    expect(one.slice(0, length)).toEqual(other.slice(0, length));
  });

  it('that runs on without a space is cut before the library sees it', async () => {
    const text = `x${'in'.repeat(6000)}`;
    const parts = [await plain(text.slice(0, 8192)), await plain(text.slice(8192))];
    expect([...(await plain(text))]).toEqual(parts.flatMap((part) => [...part]));
  });

  it('is tokenized alike on the calling thread and on another one', async () => {
    const line = 'The quick brown fox, 12 times.\n';
    const one = [...(await plain(line))];
    const many = [...(await plain(line.repeat(400)))];
    expect(many).toEqual(Array(400).fill(one).flat());
  });
});

describe('a special token', () => {
  it('is one token only where it is to be parsed', async () => {
    const parsed = await special('<|im_start|>user<|im_end|>');
    expect(vocabulary().isEndOfGeneration(parsed.at(-1)!)).toBe(true);
    const unparsed = await plain('<|im_start|>user<|im_end|>');
    expect(unparsed.length).toBeGreaterThan(parsed.length);
    expect([...unparsed].some((token) => vocabulary().isEndOfGeneration(token))).toBe(false);
    expect(textOf(unparsed)).toBe('<|im_start|>user<|im_end|>');
  });

  it('has no text unless it is asked for', async () => {
    const [start] = await special('<|im_start|>');
    expect(vocabulary().piece(start!, false)).toHaveLength(0);
    expect(textOf([start!])).toBe('<|im_start|>');
  });

  it('is not broken by the cuts of a long run', async () => {
    const [end] = await special('<|im_end|>');
    for (let length = 8180; length <= 8194; length++) {
      const tokens = await special(`${'東'.repeat(length)}<|im_end|>${'東'.repeat(3)}`);
      expect(
        [...tokens].filter((token) => token === end),
        `after ${length}`,
      ).toHaveLength(1);
    }
  });
});

describe('a piece', () => {
  it('is the same bytes every time', () => {
    for (let token = 0; token < vocabulary().size; token++) {
      const first = Buffer.from(vocabulary().piece(token, true));
      expect(Buffer.from(vocabulary().piece(token, true)).equals(first)).toBe(true);
    }
  });

  it('of a token that there is not is refused', () => {
    for (const token of [-1, 1024, 2 ** 31, Number.NaN]) {
      expect(() => vocabulary().piece(token, true), String(token)).toThrow(RangeError);
    }
  });
});

describe('a vocabulary', () => {
  it('knows its model', () => {
    expect(vocabulary()).toMatchObject({
      size: 1024,
      trainedContext: 8192,
      // 4 layers of one head of 66 values.
      kvValuesPerToken: 264,
      endText: '<|im_end|>',
    });
    expect(vocabulary().chatTemplate).toContain('<|im_start|>');
  });

  it('can be closed while it tokenizes, and twice', async () => {
    const other = await openVocabulary(await ensureModel('tiny'), 'off');
    const work = other.tokenize('hello world '.repeat(20_000), false, false);
    other.close();
    other.close();
    expect((await work).length).toBeGreaterThan(20_000);
    await expect(other.tokenize('a', false, false)).rejects.toThrow('closed');
  });
});

describe('long runs', () => {
  const none = () => [];

  it('are cut every 8192 characters, and nothing else is', () => {
    expect(splitLongRuns('', none)).toEqual(['']);
    expect(splitLongRuns('a'.repeat(8192), none)).toEqual(['a'.repeat(8192)]);
    expect(splitLongRuns('a'.repeat(20_000), none).map(({ length }) => length)).toEqual([8192, 8192, 3616]);
    expect(splitLongRuns('👩'.repeat(9000), none).map(({ length }) => length)).toEqual([16_384, 1616]);
    const words = 'many words '.repeat(5000);
    expect(splitLongRuns(words, none)).toEqual([words]);
    const longWords = `${'a'.repeat(8191)} `.repeat(100);
    expect(splitLongRuns(longWords, none)).toEqual([longWords]);
  });

  it('are cut at the same places whatever follows', () => {
    const character = fc.constantFrom('a', ' ', '👩', 'a'.repeat(5000), ' '.repeat(5000), '👩'.repeat(5000));
    const text = fc.array(character, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const cuts = (whole: string) => {
          let at = 0;
          const parts = splitLongRuns(whole, none);
          expect(parts.join('') === whole).toBe(true);
          return parts.map(({ length }) => (at += length)).filter((cut) => cut < before.length);
        };
        expect(cuts(before + after)).toEqual(cuts(before));
      }),
    );
  });
});
