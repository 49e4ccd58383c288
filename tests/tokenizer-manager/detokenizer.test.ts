import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Detokenizer } from '../../src/tokenizer-manager/detokenizer.ts';
import { vocabularyOf } from '../support/word-vocabulary.ts';

/** One token for every byte, and a control token. */
const BYTES = vocabularyOf(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)));
const CONTROL = 256;

describe('text from tokens', () => {
  it('has a character when its last byte has come, and not before', () => {
    const detokenizer = new Detokenizer(BYTES, false);
    const parts = [...Buffer.from('é東👩!')].map((byte) => detokenizer.push(byte));
    expect(parts).toEqual(['', 'é', '', '', '東', '', '', '', '👩', '!']);
    expect(detokenizer.end()).toBe('');
  });

  it('has U+FFFD for a character that never ends, when no more comes or when it is broken', () => {
    const detokenizer = new Detokenizer(BYTES, false);
    const [first, second] = Buffer.from('東');
    expect(detokenizer.push(first!) + detokenizer.push(second!)).toBe('');
    expect(detokenizer.push('a'.charCodeAt(0))).toBe('\ufffda');
    expect(detokenizer.push(first!)).toBe('');
    expect(detokenizer.end()).toBe('\ufffd');
  });

  it('has control tokens only where they are to be written out', () => {
    const text = (special: boolean) => {
      const detokenizer = new Detokenizer(BYTES, special);
      return [104, 105, CONTROL].map((token) => detokenizer.push(token)).join('');
    };
    expect([text(false), text(true)]).toEqual(['hi', 'hi<end>']);
  });

  it('is what the bytes say, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: 'binary' }), (noise, string) => {
        for (const bytes of [noise, Buffer.from(string), Buffer.from(`\ufeff${string}`)]) {
          const detokenizer = new Detokenizer(BYTES, false);
          let text = '';
          for (const byte of bytes) text += detokenizer.push(byte);
          text += detokenizer.end();
          expect(text).toBe(Buffer.from(bytes).toString());
        }
      }),
    );
  });
});
