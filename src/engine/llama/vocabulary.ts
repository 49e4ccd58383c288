import { failure } from '../../shared/errors.ts';
import type { Vocabulary } from '../engine.ts';
import type { Llama } from './functions.ts';
import { findLibrary, type GpuChoice } from './library.ts';
import { loadLibrary } from './load.ts';
import { splitLongRuns } from './long-runs.ts';
import { loadVocabularyOnly, metadata, whyNotGenerative } from './model.ts';
import { checkModelFile } from './model-file.ts';
import type { Pointer } from './structs.ts';

/** Texts up to this many bytes are tokenized at once on the calling thread: a thread hop costs more. */
const INLINE_BYTES = 4096;

/** LLAMA_VOCAB_TYPE_BPE in llama.h: the tokenizers that split text by regular expressions first. */
const BYTE_PAIRS = 2;
/** LLAMA_TOKEN_ATTR_CONTROL and _USER_DEFINED. */
const SPECIAL_ATTRIBUTES = 8 | 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Opens the vocabulary of a GGUF file, without its weights.
 *
 * @throws `model_file`, `model_unsupported`, `library_missing`, `library_mismatch`
 */
export async function openVocabulary(path: string, gpu: GpuChoice): Promise<Vocabulary> {
  await checkModelFile(path);
  const llama = loadLibrary(findLibrary(gpu));
  const model = loadVocabularyOnly(llama, path);
  const reason = whyNotGenerative(llama, model);
  if (reason) {
    llama.llama_model_free(model);
    throw failure('model_unsupported', { path, reason });
  }
  return new LlamaVocabulary(llama, model);
}

class LlamaVocabulary implements Vocabulary {
  readonly #llama: Llama;
  readonly #model: Pointer;
  readonly #pointer: Pointer;
  readonly #plainPieces: (Uint8Array | undefined)[] = [];
  readonly #specialPieces: (Uint8Array | undefined)[] = [];
  #specials: string[] | undefined;
  /** Texts that are being tokenized, perhaps on other threads. */
  #tokenizing = 0;
  #closed = false;
  readonly size: number;
  readonly chatTemplate: string | undefined;
  readonly beginText: string;
  readonly endText: string;
  readonly name: string;
  readonly trainedContext: number;
  readonly kvValuesPerToken: number | undefined;

  constructor(llama: Llama, model: Pointer) {
    this.#llama = llama;
    this.#model = model;
    this.#pointer = llama.llama_model_get_vocab(model);
    this.size = llama.llama_vocab_n_tokens(this.#pointer);
    this.chatTemplate = llama.llama_model_chat_template(model, null) ?? undefined;
    this.beginText = this.#specialText(llama.llama_vocab_bos(this.#pointer));
    this.endText = this.#specialText(llama.llama_vocab_eos(this.#pointer));
    this.name = metadata(llama, model, 'general.name') ?? 'model';
    // The library reads its hyperparameters only with the weights.
    const architecture = metadata(llama, model, 'general.architecture') ?? '';
    const number = (key: string) => Number(metadata(llama, model, `${architecture}.${key}`)) || undefined;
    this.trainedContext = number('context_length') ?? 0;
    const [layers, heads, width] = [
      number('block_count'),
      number('attention.head_count'),
      number('embedding_length'),
    ];
    if (layers && heads && width) {
      const kvHeads = number('attention.head_count_kv') ?? heads;
      this.kvValuesPerToken = layers * kvHeads * (number('attention.key_length') ?? width / heads);
    }
  }

  async tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Promise<Int32Array> {
    if (this.#closed) throw new Error('The vocabulary is closed.');
    this.#tokenizing++;
    try {
      const tokens: Int32Array[] = [];
      for (const [i, part] of this.#parts(text.toWellFormed()).entries()) {
        tokens.push(await this.#tokenizePart(encoder.encode(part), addSpecial && i === 0, parseSpecial));
      }
      return tokens.length === 1 && tokens[0] ? tokens[0] : concat(tokens);
    } finally {
      this.#tokenizing--;
      this.#freeWhenUnused();
    }
  }

  piece(token: number, special: boolean): Uint8Array {
    const cache = special ? this.#specialPieces : this.#plainPieces;
    let piece = cache[token];
    if (!piece) {
      if (this.#closed) throw new Error('The vocabulary is closed.');
      if (!(token >= 0 && token < this.size)) throw new RangeError(`There is no token ${token}.`);
      piece = this.#readPiece(token, special);
      cache[token] = piece;
    }
    return piece;
  }

  isEndOfGeneration(token: number): boolean {
    return this.#llama.llama_vocab_is_eog(this.#pointer, token);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#freeWhenUnused();
  }

  #freeWhenUnused(): void {
    if (this.#closed && this.#tokenizing === 0) this.#llama.llama_model_free(this.#model);
  }

  #parts(text: string): string[] {
    if (this.#llama.llama_vocab_type(this.#pointer) !== BYTE_PAIRS) return [text];
    return splitLongRuns(text, () => this.#specialTexts());
  }

  #specialTexts(): readonly string[] {
    this.#specials ??= Array.from({ length: this.size }, (_, token) => token)
      .filter((token) => (this.#llama.llama_vocab_get_attr(this.#pointer, token) & SPECIAL_ATTRIBUTES) !== 0)
      .map((token) => this.#specialText(token))
      .filter((text) => text !== '');
    return this.#specials;
  }

  async #tokenizePart(bytes: Uint8Array, addSpecial: boolean, parseSpecial: boolean): Promise<Int32Array> {
    // A token has at least one byte, but for those that the model adds at both ends or before a space.
    const tokens = new Int32Array(bytes.length + 8);
    const count =
      bytes.length <= INLINE_BYTES
        ? this.#llama.llama_tokenize(
            this.#pointer,
            bytes,
            bytes.length,
            tokens,
            tokens.length,
            addSpecial,
            parseSpecial,
          )
        : await new Promise<number>((resolve, reject) => {
            this.#llama.llama_tokenize.async(
              this.#pointer,
              bytes,
              bytes.length,
              tokens,
              tokens.length,
              addSpecial,
              parseSpecial,
              (error, result) => (error ? reject(error) : resolve(result)),
            );
          });
    if (count < 0)
      throw new Error(`The tokenizer wants room for ${-count} tokens for ${bytes.length} bytes.`);
    return tokens.slice(0, count);
  }

  #readPiece(token: number, special: boolean): Uint8Array {
    let buffer = new Uint8Array(64);
    let length = this.#llama.llama_token_to_piece(this.#pointer, token, buffer, buffer.length, 0, special);
    if (length < 0) {
      buffer = new Uint8Array(-length);
      length = this.#llama.llama_token_to_piece(this.#pointer, token, buffer, buffer.length, 0, special);
    }
    return buffer.slice(0, length);
  }

  #specialText(token: number): string {
    return token < 0 ? '' : decoder.decode(this.piece(token, true));
  }
}

function concat(parts: Int32Array[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
