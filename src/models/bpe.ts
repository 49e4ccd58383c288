/**
 * A byte-level BPE tokenizer, as GPT-2 has it and as a GGUF file stores it (`tokenizer.ggml.model = 'gpt2'`):
 * text is cut into words, a word's UTF-8 bytes are the first symbols, and pairs of symbols are merged in the
 * order in which training found them.
 */

/** `llama_token_type` in llama.h. */
export const TokenType = { normal: 1, control: 3, userDefined: 4 } as const;

/**
 * How text is cut before merging: the rule that llama.cpp calls 'qwen2' (from Qwen2's tokenizer.json).
 * `White_Space` instead of `\s`: in JavaScript `\s` has U+FEFF, which is not white space in Unicode.
 */
const WORD =
  /'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * GPT-2's alphabet: the letter that stands for each byte in the vocabulary's strings. Printable Latin-1
 * bytes stand for themselves, the other 68 are moved to U+0100 and up, in order.
 */
const ALPHABET: readonly string[] = (() => {
  let moved = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : moved++);
  });
})();

/** A merge of two token ids into a third; the place in the list is the rank. */
type Merge = readonly [left: number, right: number];

/** A pair of ids as one number, for maps. Ids stay below 65,536. */
const pairKey = (left: number, right: number): number => left * 0x1_0000 + right;

export interface Special {
  readonly text: string;
  readonly type: number;
}

/** A trained vocabulary: ids 0 to 255 are the bytes, then one id per merge, then the special tokens. */
export class Tokenizer {
  /** Tokens in the spelling of a GGUF file, by id. */
  readonly tokens: readonly string[];
  /** {@link TokenType} by id. */
  readonly types: readonly number[];
  /** Merges as a GGUF file spells them: the two tokens with a space between. */
  readonly merges: readonly string[];
  readonly #ranks = new Map<number, number>();
  readonly #bytes: readonly Uint8Array[];
  readonly #specials: ReadonlyMap<string, number>;
  readonly #cut: RegExp;

  constructor(merges: readonly Merge[], specials: readonly Special[]) {
    const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
    merges.forEach(([left, right], rank) => {
      this.#ranks.set(pairKey(left, right), rank);
      bytes.push(Buffer.concat([bytes[left]!, bytes[right]!]));
    });
    const spelling = bytes.map((run) => Array.from(run, (byte) => ALPHABET[byte]).join(''));
    this.merges = merges.map(([left, right]) => `${spelling[left]} ${spelling[right]}`);
    this.tokens = [...spelling, ...specials.map((special) => special.text)];
    this.types = [...spelling.map(() => TokenType.normal), ...specials.map((special) => special.type)];
    this.#bytes = [...bytes, ...specials.map((special) => Buffer.from(special.text))];
    this.#specials = new Map(specials.map((special, i) => [special.text, spelling.length + i]));
    const names = specials.map((special) => special.text.replace(/[|\\{}()[\]^$+*?.]/g, '\\$&'));
    this.#cut = new RegExp(`(${[...names.sort((a, b) => b.length - a.length), '(?!)'].join('|')})`);
  }

  /** The id of a special token; throws when there is none with this text. */
  special(text: string): number {
    const id = this.#specials.get(text);
    if (id === undefined) throw new RangeError(`'${text}' is not a special token`);
    return id;
  }

  /**
   * Token ids of a text; special tokens that are spelled in it count as themselves. The same as llama.cpp's,
   * but for characters that its Unicode tables do not have yet.
   */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const piece of text.split(this.#cut)) {
      const special = this.#specials.get(piece);
      if (special !== undefined) ids.push(special);
      else for (const [word] of piece.matchAll(WORD)) ids.push(...this.#merge([...Buffer.from(word)]));
    }
    return ids;
  }

  /** The text of token ids; bytes that are not UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string {
    return Buffer.concat(Array.from(ids, (id) => this.#bytes[id]!)).toString('utf8');
  }

  #merge(symbols: number[]): number[] {
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      let at = -1;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const rank = this.#ranks.get(pairKey(symbols[i]!, symbols[i + 1]!)) ?? Number.POSITIVE_INFINITY;
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return symbols;
      symbols.splice(at, 2, 256 + best);
    }
  }
}

/**
 * Trains a vocabulary of `size` tokens. Of equally frequent pairs the one with the smaller ids is merged,
 * so the result depends on the text alone.
 *
 * @throws RangeError when the text has too few different pairs for that size
 */
export function train(text: string, size: number, specials: readonly Special[]): Tokenizer {
  const frequency = new Map<string, number>();
  for (const [word] of text.matchAll(WORD)) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const words = Array.from(frequency, ([word, count]) => ({ symbols: [...Buffer.from(word)], count }));

  const counts = new Map<number, number>();
  const holders = new Map<number, Set<number>>();
  /** Adds (sign 1) or takes away (sign −1) a word's pairs in the counts. */
  const tally = (index: number, sign: 1 | -1): void => {
    const { symbols, count } = words[index]!;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const key = pairKey(symbols[i]!, symbols[i + 1]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * count);
      if (sign < 0) continue;
      const held = holders.get(key);
      if (held) held.add(index);
      else holders.set(key, new Set([index]));
    }
  };
  for (let index = 0; index < words.length; index++) tally(index, 1);

  const merges: Merge[] = [];
  while (256 + merges.length + specials.length < size) {
    const key = mostFrequent(counts);
    if (key === undefined) throw new RangeError(`The text is too small for ${size} tokens`);
    const [left, right] = [Math.floor(key / 0x1_0000), key % 0x1_0000];
    const id = 256 + merges.push([left, right]) - 1;
    for (const index of holders.get(key)!) {
      tally(index, -1);
      const { symbols } = words[index]!;
      for (let i = 0; i + 1 < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) symbols.splice(i, 2, id);
      }
      tally(index, 1);
    }
    counts.delete(key);
    holders.delete(key);
  }
  return new Tokenizer(merges, specials);
}

/** The pair that occurs most often; of equals, the one with the smaller ids. */
function mostFrequent(counts: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined;
  let most = 0;
  for (const [key, count] of counts) {
    if (count > most || (count === most && best !== undefined && key < best)) [best, most] = [key, count];
  }
  return best;
}
