import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenType, train } from '../../src/models/bpe.ts';
import { tokenizer } from '../../src/models/recipes.ts';

const trained = tokenizer('tiny');

describe('training', () => {
  it('merges the most frequent pair first, and of equals the smaller ids', () => {
    const toy = train('aab aab aab', 259, []);
    expect(toy.merges).toEqual(['a a', 'aa b', 'Ġ aab']);
    expect(toy.tokens.slice(256)).toEqual(['aa', 'aab', 'Ġaab']);
  });

  it('fills the vocabulary: all bytes, then merges, then the special tokens', () => {
    expect(trained.tokens).toHaveLength(1024);
    expect(new Set(trained.tokens).size).toBe(1024);
    expect(trained.types.slice(-6)).toEqual([
      TokenType.normal,
      TokenType.control,
      TokenType.control,
      TokenType.control,
      TokenType.userDefined,
      TokenType.userDefined,
    ]);
    for (let byte = 0; byte < 256; byte++) expect(trained.types[byte]).toBe(TokenType.normal);
  });

  it('of a larger vocabulary continues that of a smaller one', () => {
    const large = tokenizer('bench');
    expect(large.tokens).toHaveLength(4096);
    expect(large.merges.slice(0, trained.merges.length)).toEqual(trained.merges);
  });

  it('says so when the text has no pair left', () => {
    expect(() => train('ab', 300, [])).toThrow('The text is too small for 300 tokens');
  });
});

describe('encoding', () => {
  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(trained.decode(trained.encode(text))).toBe(text.toWellFormed());
      }),
    );
  });

  it('knows common words as one token', () => {
    expect(trained.encode(' the')).toHaveLength(1);
    expect(trained.encode('The river and the small house.').length).toBeLessThan(15);
  });

  it('takes digits one by one, and keeps the last space with the word after it', () => {
    const toy = train('x', 256, []);
    const pieces = (text: string): string[] => tokenizerPieces(text);
    expect(toy.encode('12')).toEqual([49, 50]);
    expect(pieces('12')).toEqual(['1', '2']);
    expect(pieces('    the').at(-1)).toBe(' the');
  });

  it('takes special tokens that are spelled in the text as themselves', () => {
    const end = trained.special('<|im_end|>');
    expect(trained.encode('a<|im_end|>b')).toEqual([97, end, 98]);
    expect(trained.encode('<tool_call>')).toEqual([trained.special('<tool_call>')]);
    expect(trained.encode('<|im_end')).not.toContain(end);
    expect(() => trained.special('<nothing>')).toThrow("'<nothing>' is not a special token");
  });
});

function tokenizerPieces(text: string): string[] {
  return trained.encode(text).map((id) => trained.decode([id]));
}
