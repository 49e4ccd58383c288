import { pageKeys } from '../shared/page-keys.ts';

/** The tokens of one request, prompt and answer, with the keys of their whole pages. Grows at its end only. */
export class Prefix {
  readonly pageSize: number;
  /** The namespace: what the first page's key is chained to. */
  readonly seed: string;
  readonly #keys: string[] = [];
  #buffer: Int32Array;
  #length: number;

  constructor(tokens: Int32Array, seed: string, pageSize: number) {
    this.pageSize = pageSize;
    this.seed = seed;
    this.#buffer = tokens;
    this.#length = tokens.length;
  }

  /** Tokens. */
  get length(): number {
    return this.#length;
  }

  /** Whole pages. */
  get pages(): number {
    return Math.floor(this.#length / this.pageSize);
  }

  /** All tokens; valid until the next {@link append}. */
  get tokens(): Int32Array {
    return this.#buffer.subarray(0, this.#length);
  }

  token(index: number): number {
    return this.#buffer[index]!;
  }

  append(token: number): void {
    if (this.#length === this.#buffer.length) {
      const larger = new Int32Array(Math.max(64, this.#length * 2));
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer[this.#length++] = token;
  }

  /** The key of a whole page, made when it is first asked for. */
  key(page: number): string {
    if (page >= this.#keys.length) this.#hashAll();
    const key = this.#keys[page];
    if (key === undefined) throw new RangeError(`There are ${this.pages} whole pages, not ${page + 1}.`);
    return key;
  }

  /** Keys of the pages from `from` up to `to`. */
  keys(from: number, to: number): string[] {
    if (to > this.#keys.length) this.#hashAll();
    return this.#keys.slice(from, to);
  }

  /** How many leading pages another prefix has in common. Chained keys make it a binary search. */
  commonPages(other: Prefix): number {
    let low = 0;
    let high = this.seed === other.seed ? Math.min(this.pages, other.pages) : 0;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.key(middle - 1) === other.key(middle - 1)) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** How many leading tokens another prefix has in common. */
  commonTokens(other: Prefix): number {
    if (this.seed !== other.seed) return 0;
    const from = this.commonPages(other) * this.pageSize;
    return from + commonLength(this.tokens, from, other.tokens, from);
  }

  #hashAll(): void {
    const done = this.#keys.length;
    const rest = this.#buffer.subarray(done * this.pageSize, this.pages * this.pageSize);
    this.#keys.push(...pageKeys(this.#keys[done - 1] ?? this.seed, rest, this.pageSize));
  }
}

/** So many tokens are compared as bytes first: for those that are all equal, which is the usual case, that is far quicker. */
const MANY = 512;

/** How many tokens of `a` from `aFrom` on equal those of `b` from `bFrom` on. */
export function commonLength(a: Int32Array, aFrom: number, b: Int32Array, bFrom: number): number {
  const most = Math.min(a.length - aFrom, b.length - bFrom);
  if (most >= MANY && bytesOf(a, aFrom, most).equals(bytesOf(b, bFrom, most))) return most;
  let same = 0;
  while (same < most && a[aFrom + same] === b[bFrom + same]) same++;
  return same;
}

function bytesOf(tokens: Int32Array, from: number, count: number): Buffer {
  return Buffer.from(tokens.buffer, tokens.byteOffset + 4 * from, 4 * count);
}
