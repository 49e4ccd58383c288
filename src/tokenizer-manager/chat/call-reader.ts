import { JsonScanner, type ScannerState } from './json-scanner.ts';

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
  #stringStart = 0;
  #valueStart = 0;
  #complete = false;
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
    return this.#complete;
  }

  /** The tool's name, once the call has begun. */
  get begun(): string | undefined {
    return this.#argumentsStart === undefined && !this.#complete ? undefined : this.#name;
  }

  /** Takes one UTF-16 code unit; `false`, and the unit not taken, if this cannot be a call. */
  push(unit: string): boolean {
    const { state: before, depth } = this.#scanner;
    if (!this.#scanner.push(unit)) return false;
    if (depth === 1 && !this.#atTop(unit, before, this.#scanner.state)) return false;
    const at = this.#text.length;
    const closesValue = depth === 2 && this.#scanner.depth === 1;
    if (closesValue && this.#valueStart === this.#argumentsStart) this.#argumentsEnd = at + 1;
    this.#text += unit;
    return true;
  }

  /** Follows the object's own keys and values by what the scanner expected before and after a unit. */
  #atTop(unit: string, before: ScannerState, after: ScannerState): boolean {
    if (before !== 'string' && after === 'string') this.#stringStart = this.#text.length;
    if (before === 'string' && after === 'colon') {
      this.#key = parseString(this.#text.slice(this.#stringStart) + unit);
      return this.#allowsKey();
    }
    if (before === 'value' && after !== 'value') {
      this.#valueStart = this.#text.length;
      return this.#allowsValue(unit);
    }
    if (before === 'string' && after === 'comma-or-end') return this.#allowsString(unit);
    if (after !== 'end') return true;
    this.#complete = this.#name !== undefined && (this.#marked || this.#argumentsStart !== undefined);
    return this.#complete;
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
    if (firstUnit !== '{') return false;
    this.#argumentsStart = this.#valueStart;
    return true;
  }

  #allowsString(lastUnit: string): boolean {
    if (this.#key !== 'name') return true;
    const name = parseString(this.#text.slice(this.#stringStart) + lastUnit);
    if (!this.#tools.has(name)) return false;
    this.#name = name;
    return true;
  }
}

/** The scanner has checked the text already. */
function parseString(json: string): string {
  return JSON.parse(json) as string;
}
