/** What the next character belongs to. */
export type ScannerState =
  | 'value'
  | 'value-or-end'
  | 'key'
  | 'key-or-end'
  | 'colon'
  | 'comma-or-end'
  | 'string'
  | 'word'
  | 'end';

const BLANK = /[ \t\r\n]/;
const WORD = /[-+.0-9A-Za-z]/;
const WORDS = /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/;
/** Beginnings of a string's content that JSON allows; an escape may still be incomplete. */
const ESCAPE = /^\\(?:$|["\\/bfnrt]$|u[0-9a-fA-F]{0,4}$)/;
const COMPLETE_ESCAPE = /^\\(?:[^u]|u.{4})$/;

/** Follows one JSON object (RFC 8259) character by character and stops at the first that does not belong there. */
export class JsonScanner {
  /** Objects and lists that are open. */
  #open: ('{' | '[')[] = [];
  #state: ScannerState = 'value';
  /** In a string: whether it is a key. */
  #isKey = false;
  /** An escape, or a number or a literal, as far as it has been read. */
  #partial = '';

  get depth(): number {
    return this.#open.length;
  }

  /** What the next character belongs to. */
  get state(): ScannerState {
    return this.#state;
  }

  /** Takes one UTF-16 code unit; `false` if it cannot follow. */
  push(unit: string): boolean {
    if (this.#state === 'string') return this.#inString(unit);
    if (this.#state === 'word') {
      if (WORD.test(unit)) {
        this.#partial += unit;
        return this.#partial.length < 400;
      }
      if (!WORDS.test(this.#partial)) return false;
      this.#state = 'comma-or-end';
    }
    if (this.#state !== 'end' && BLANK.test(unit)) return true;
    switch (this.#state) {
      case 'value':
        return this.#value(unit);
      case 'value-or-end':
        return unit === ']' ? this.#close('[') : this.#value(unit);
      case 'key-or-end':
        return unit === '}' ? this.#close('{') : this.#key(unit);
      case 'key':
        return this.#key(unit);
      case 'colon':
        this.#state = 'value';
        return unit === ':';
      case 'comma-or-end':
        return this.#commaOrEnd(unit);
      case 'end':
        return false;
    }
  }

  #value(unit: string): boolean {
    if (unit === '{') return this.#enter('{', 'key-or-end');
    // The whole is an object: only that has an end of its own.
    if (this.depth === 0) return false;
    if (unit === '[') return this.#enter('[', 'value-or-end');
    if (unit === '"') {
      this.#isKey = false;
      this.#state = 'string';
      return true;
    }
    this.#state = 'word';
    this.#partial = unit;
    return WORD.test(unit);
  }

  #key(unit: string): boolean {
    this.#isKey = true;
    this.#state = 'string';
    return unit === '"';
  }

  #commaOrEnd(unit: string): boolean {
    const inside = this.#open.at(-1);
    if (unit === ',') {
      this.#state = inside === '{' ? 'key' : 'value';
      return true;
    }
    if (unit === '}') return this.#close('{');
    return unit === ']' && this.#close('[');
  }

  #inString(unit: string): boolean {
    if (this.#partial.startsWith('\\')) {
      this.#partial += unit;
      if (!ESCAPE.test(this.#partial)) return false;
      if (COMPLETE_ESCAPE.test(this.#partial)) this.#partial = '';
      return true;
    }
    if (unit === '"') this.#state = this.#isKey ? 'colon' : 'comma-or-end';
    this.#partial = unit === '\\' ? unit : '';
    return unit >= ' ';
  }

  #enter(bracket: '{' | '[', state: ScannerState): boolean {
    this.#open.push(bracket);
    this.#state = state;
    return true;
  }

  #close(bracket: '{' | '['): boolean {
    if (this.#open.pop() !== bracket) return false;
    this.#state = this.depth === 0 ? 'end' : 'comma-or-end';
    return true;
  }
}
