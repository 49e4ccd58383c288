import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from '../../src/tokenizer-manager/stop-strings.ts';

interface Scanned {
  /** Text that was let through, each time. */
  parts: string[];
  text: string;
  matched: string | undefined;
}

/** Feeds the pieces until one stops; then the held text, if none did. */
function scan(stops: string[], pieces: string[]): Scanned {
  const scanner = new StopStrings(stops);
  const parts: string[] = [];
  for (const piece of pieces) {
    const { text, matched } = scanner.push(piece);
    parts.push(text);
    if (matched !== undefined) return { parts, text: parts.join(''), matched };
  }
  parts.push(scanner.end());
  return { parts, text: parts.join(''), matched: undefined };
}

/** The stop string that is complete first, and of those the longest; looked for at every position. */
function expectedScan(stops: string[], text: string): { text: string; matched: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const complete = stops.filter((stop) => stop !== '' && text.slice(0, end).endsWith(stop));
    const [longest] = complete.toSorted((a, b) => b.length - a.length);
    if (longest) return { text: text.slice(0, end - longest.length), matched: longest };
  }
  return { text, matched: undefined };
}

describe('stop strings', () => {
  it('end the text before them', () => {
    expect(scan(['END'], ['one END two'])).toMatchObject({ text: 'one ', matched: 'END' });
    expect(scan(['x', 'END'], ['one END two'])).toMatchObject({ text: 'one ', matched: 'END' });
  });

  it('are found across the borders of the pieces, and no part of them gets through', () => {
    const { parts, matched } = scan(['</tool>'], ['a', '<', '/to', 'ol', '>', 'b']);
    expect(parts).toEqual(['a', '', '', '', '']);
    expect(matched).toBe('</tool>');
  });

  it('are found after a false start', () => {
    expect(scan(['aab'], ['a', 'a', 'a', 'b'])).toMatchObject({ parts: ['', '', 'a', ''], matched: 'aab' });
    expect(scan(['abac'], ['aba', 'bac'])).toMatchObject({ text: 'ab', matched: 'abac' });
  });

  it('hold back what may still become one, and give it back when it does not', () => {
    const { parts } = scan(['STOP'], ['go ST', 'ILL', ' S']);
    expect(parts).toEqual(['go ', 'STILL', ' ', 'S']);
  });

  it('match the one that is complete first, and of those the longest', () => {
    expect(scan(['abc', 'ab'], ['xabc'])).toMatchObject({ text: 'x', matched: 'ab' });
    expect(scan(['b', 'ab'], ['xab'])).toMatchObject({ text: 'x', matched: 'ab' });
    expect(scan(['bc', 'abcd'], ['xabcd'])).toMatchObject({ text: 'xa', matched: 'bc' });
  });

  it('that are empty, or none at all, stop nothing and hold nothing', () => {
    expect(scan([], ['a', 'b']).parts).toEqual(['a', 'b', '']);
    expect(scan([''], ['a', 'b']).parts).toEqual(['a', 'b', '']);
  });

  it('do the same however the text is split', () => {
    const letter = fc.constantFrom('a', 'b', 'c', '👩', 'é');
    const word = (maxLength: number) => fc.string({ unit: letter, maxLength });
    fc.assert(
      fc.property(
        fc.array(word(5), { maxLength: 4 }),
        fc.array(word(4), { maxLength: 12 }),
        (stops, pieces) => {
          const { text, matched, parts } = scan(stops, pieces);
          expect({ text, matched }).toEqual(expectedScan(stops, pieces.join('')));
          // Nothing of a stop string was let through before it was complete, and nothing is held without reason.
          const longest = Math.max(1, ...stops.map(({ length }) => length));
          let seen = 0;
          let through = 0;
          for (const [i, piece] of pieces.entries()) {
            if (parts[i] === undefined || (matched !== undefined && i === parts.length - 1)) break;
            seen += piece.length;
            through += parts[i].length;
            expect(seen - through).toBeLessThan(longest);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
