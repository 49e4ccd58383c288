import type { Vocabulary } from '../engine/engine.ts';

/** Turns tokens into text as they come. A character whose bytes are spread over tokens waits for its last one. */
export class Detokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #special: boolean;
  /** A byte order mark is a character like any other here. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** @param special whether control tokens are written out */
  constructor(vocabulary: Vocabulary, special: boolean) {
    this.#vocabulary = vocabulary;
    this.#special = special;
  }

  push(token: number): string {
    return this.#decoder.decode(this.#vocabulary.piece(token, this.#special), { stream: true });
  }

  /** What is left when no more tokens come: an unfinished character is U+FFFD. */
  end(): string {
    return this.#decoder.decode();
  }
}
