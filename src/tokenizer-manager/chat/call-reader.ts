import { JsonScanner } from './json-scanner.ts';

const ARGUMENT_KEYS = ['arguments', 'parameters'];
/** What else a call may hold where nothing but its own keys shows that it is one. */
const OTHER_KEYS = ['id', 'type'];

/**
 * Reads the JSON object of one call, `{"name": ..., "arguments": {...}}` in either order, as it arrives.
 * The call has begun once its name is known to be a tool's and its arguments are an object.
 */
export class CallReader {
  readonly #tools: ReadonlySet<string>;
  /** Whether a marker said that this is a call. */
  readonly #marked: boolean;
  readonly #scanner = new JsonScanner();
  #text = '';
  #key = '';
  #keyStart = 0;
  #valueStart = 0;
  #name: string | undefined;
  #argumentsStart: number | undefined;
  #argumentsEnd: number | undefined;
  #taken = 0;

  constructor(tools: ReadonlySet<string>, marked: boolean) {
    this.#tools = tools;
    this.#marked = marked;
  }

  /** All that was read. */
  get text(): string {
    return this.#text;
  }

  get complete(): boolean {
    return this.#scanner.state === 'end';
  }

  /** The tool's name, once the call has begun. */
  get begun(): string | undefined {
    return this.#argumentsStart === undefined && !this.complete ? undefined : this.#name;
  }

  /** Takes one UTF-16 code unit; `false`, and the unit not taken, if this cannot be a call. */
  push(unit: string): boolean {
    const { state: before, depth } = this.#scanner;
    if (!this.#scanner.push(unit)) return false;
    const { state: after } = this.#scanner;
    const at = this.#text.length;
    const top = depth === 1;
    if (top && before.startsWith('key') && after === 'string') this.#keyStart = at;
    if (top && before === 'string' && after === 'colon')
      this.#key = parseString(this.#text.slice(this.#keyStart) + unit);
    if (top && before === 'value' && after !== 'value') this.#valueStart = at;
    const ok =
      !(top && after === 'colon' && before === 'string' && !this.#allowsKey()) &&
      !(top && before === 'value' && after !== 'value' && !this.#allowsValue(unit)) &&
      !(top && before === 'string' && after === 'comma-or-end' && !this.#endOfString(unit)) &&
      !(after === 'end' && !this.#isCall());
    if (!ok) return false;
    if (depth === 2 && this.#scanner.depth === 1 && this.#valueStart === this.#argumentsStart)
      this.#argumentsEnd ??= at + 1;
    this.#text += unit;
    return true;
  }

  /** The next piece of the arguments' JSON text, exactly as the model wrote it. */
  takeArguments(): string {
    if (this.begun === undefined) return '';
    if (this.#argumentsStart === undefined) {
      const rest = '{}'.slice(this.#taken);
      this.#taken = 2;
      return rest;
    }
    const start = this.#argumentsStart + this.#taken;
    const piece = this.#text.slice(start, this.#argumentsEnd);
    this.#taken += piece.length;
    return piece;
  }

  #allowsKey(): boolean {
    if (this.#key === 'name') return this.#name === undefined;
    if (ARGUMENT_KEYS.includes(this.#key)) return this.#argumentsStart === undefined;
    return this.#marked || OTHER_KEYS.includes(this.#key);
  }

  #allowsValue(firstUnit: string): boolean {
    if (this.#key === 'name') return firstUnit === '"';
    if (!ARGUMENT_KEYS.includes(this.#key)) return true;
    this.#argumentsStart = this.#valueStart;
    return firstUnit === '{';
  }

  #endOfString(lastUnit: string): boolean {
    if (this.#key !== 'name') return true;
    this.#name = parseString(this.#text.slice(this.#valueStart) + lastUnit);
    return this.#tools.has(this.#name);
  }

  #isCall(): boolean {
    return this.#name !== undefined && (this.#marked || this.#argumentsStart !== undefined);
  }
}

/** The scanner has checked the text already. */
function parseString(json: string): string {
  return JSON.parse(json) as string;
}
