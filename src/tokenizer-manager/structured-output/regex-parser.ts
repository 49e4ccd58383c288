import { type CodePointRange, complementRanges, normalizeRanges } from './code-points.ts';
import { LIMITS } from './limits.ts';
import type { AnchoredRegex, Regex } from './regex.ts';
import { DOT, type Escape, readEscape } from './regex-classes.ts';

/**
 * Reads the part of ECMA-262's regular expressions that a grammar can express: characters, classes, groups,
 * alternatives, quantifiers, and anchors at the two ends. Code points count as one character, as with the `u` flag.
 *
 * @throws SyntaxError that says what is wrong or not supported
 */
export function parseRegex(pattern: string): AnchoredRegex[] {
  if (pattern.length > LIMITS.patternLength) throw new SyntaxError('it is too long');
  return new Parser(pattern).parse();
}

class Parser {
  readonly #pattern: string;
  #at = 0;
  #nesting = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  parse(): AnchoredRegex[] {
    const alternatives: AnchoredRegex[] = [];
    do {
      const start = this.#take('^');
      const body = this.#sequence();
      alternatives.push({ start, body, end: this.#take('$') });
    } while (this.#take('|'));
    if (this.#at === this.#pattern.length) return alternatives;
    throw new SyntaxError(
      this.#peek() === ')' ? "')' without '('" : `'${this.#peek()}' is only supported at the ends`,
    );
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #take(expected: string): boolean {
    if (!this.#pattern.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  #sequence(): Regex {
    const items: Regex[] = [];
    while (this.#at < this.#pattern.length && !'|)$^'.includes(this.#peek())) items.push(this.#quantified());
    return { kind: 'sequence', items };
  }

  #quantified(): Regex {
    const item = this.#atom();
    const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(this.#pattern.slice(this.#at, this.#at + 40));
    if (!found) return item;
    this.#at += found[0].length;
    if (/^[*+?{]/.test(this.#peek())) throw new SyntaxError('two quantifiers in a row');
    const [quantifier, from, comma, to] = found;
    if (from === undefined) {
      return {
        kind: 'repeat',
        item,
        min: quantifier[0] === '+' ? 1 : 0,
        max: quantifier[0] === '?' ? 1 : undefined,
      };
    }
    const min = Number(from);
    const max = to ? Number(to) : comma ? undefined : min;
    if (max !== undefined && max < min) throw new SyntaxError('a quantifier whose end is below its start');
    if ((max ?? min) > LIMITS.patternPositions) throw new SyntaxError('a quantifier is too large');
    return { kind: 'repeat', item, min, max };
  }

  #atom(): Regex {
    if (this.#take('(')) return this.#group();
    if (this.#take('[')) return { kind: 'set', set: this.#class() };
    if (this.#take('.')) return { kind: 'set', set: DOT };
    if (this.#take('\\')) {
      const found = this.#escape();
      return { kind: 'set', set: 'set' in found ? found.set : [[found.codePoint, found.codePoint]] };
    }
    const character = this.#character();
    if ('*+?{}]'.includes(character)) throw new SyntaxError(`'${character}' must be escaped here`);
    const codePoint = character.codePointAt(0)!;
    return { kind: 'set', set: [[codePoint, codePoint]] };
  }

  #group(): Regex {
    if (++this.#nesting > LIMITS.patternNesting) throw new SyntaxError('groups are nested too deeply');
    if (this.#peek() === '?' && !this.#take('?:')) {
      const name = /^\?<[A-Za-z_$][\w$]*>/.exec(this.#pattern.slice(this.#at));
      if (!name) throw new SyntaxError('lookaround and flags are not supported');
      this.#at += name[0].length;
    }
    const items = [this.#sequence()];
    while (this.#take('|')) items.push(this.#sequence());
    if (!this.#take(')')) {
      throw new SyntaxError(
        this.#peek() === '' ? "'(' without ')'" : 'anchors are only supported at the ends',
      );
    }
    this.#nesting--;
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  #class(): readonly CodePointRange[] {
    const negated = this.#take('^');
    const ranges: CodePointRange[] = [];
    while (!this.#take(']')) {
      const first = this.#classMember();
      const isRange = this.#peek() === '-' && ![']', ''].includes(this.#pattern[this.#at + 1] ?? '');
      if (!isRange) {
        ranges.push(...('set' in first ? first.set : ([[first.codePoint, first.codePoint]] as const)));
        continue;
      }
      this.#at++;
      const last = this.#classMember();
      if ('set' in first || 'set' in last || first.codePoint > last.codePoint) {
        throw new SyntaxError('a range of characters is the wrong way round');
      }
      ranges.push([first.codePoint, last.codePoint]);
    }
    return negated ? complementRanges(ranges) : normalizeRanges(ranges);
  }

  #classMember(): Escape {
    if (this.#take('\\')) {
      // In a class, and only there, \b is a backspace.
      return this.#take('b') ? { codePoint: 0x08, length: 1 } : this.#escape();
    }
    if (this.#peek() === '') throw new SyntaxError("'[' without ']'");
    const character = this.#character();
    return { codePoint: character.codePointAt(0)!, length: character.length };
  }

  #escape(): Escape {
    const found = readEscape(this.#pattern.slice(this.#at, this.#at + 10));
    if (!found) throw new SyntaxError(`'\\${this.#peek()}' is not supported`);
    this.#at += found.length;
    return found;
  }

  #character(): string {
    const character = String.fromCodePoint(this.#pattern.codePointAt(this.#at)!);
    if (/\p{Cs}/u.test(character)) throw new SyntaxError('half of a surrogate pair');
    this.#at += character.length;
    return character;
  }
}
