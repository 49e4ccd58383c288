import type { Batch } from '../engine.ts';
import type { SequenceLedger } from '../sequence-ledger.ts';
import { NativeMemory } from './native-memory.ts';
import type { NativeBatch } from './structs.ts';

/** A llama_batch in native memory that is allocated once; one sequence id per token. */
export class LlamaBatch implements Batch {
  readonly #memory: NativeMemory;
  readonly #capacity: number;
  readonly #vocabularySize: number;
  readonly #maxOutputs: number;
  readonly #ledger: SequenceLedger;
  readonly #tokens: Int32Array;
  readonly #positions: Int32Array;
  readonly #sequences: Int32Array;
  readonly #wantLogits: Int8Array;
  /** The struct for llama_decode; its `n_tokens` follows {@link size}. */
  readonly native: NativeBatch;
  /** While the library reads the batch, nothing may change it. */
  locked = false;
  #outputs = 0;

  constructor(capacity: number, maxOutputs: number, vocabularySize: number, ledger: SequenceLedger) {
    this.#capacity = capacity;
    this.#maxOutputs = maxOutputs;
    this.#vocabularySize = vocabularySize;
    this.#ledger = ledger;
    // One block: pointers first, so that everything is aligned.
    const offsets = { seqIds: 0, token: 8, position: 12, count: 16, sequence: 20, logits: 24 };
    this.#memory = new NativeMemory(capacity * 25);
    const at = (field: keyof typeof offsets) => offsets[field] * capacity;
    const { buffer, pointer } = this.#memory;
    this.#tokens = new Int32Array(buffer, at('token'), capacity);
    this.#positions = new Int32Array(buffer, at('position'), capacity);
    this.#sequences = new Int32Array(buffer, at('sequence'), capacity);
    this.#wantLogits = new Int8Array(buffer, at('logits'), capacity);
    new Int32Array(buffer, at('count'), capacity).fill(1);
    const seqIds = new BigUint64Array(buffer, at('seqIds'), capacity);
    for (let i = 0; i < capacity; i++) seqIds[i] = pointer + BigInt(at('sequence') + 4 * i);
    const address = (field: keyof typeof offsets) => pointer + BigInt(at(field));
    this.native = {
      n_tokens: 0,
      token: address('token'),
      embd: null,
      pos: address('position'),
      n_seq_id: address('count'),
      seq_id: address('seqIds'),
      logits: address('logits'),
    };
  }

  get size(): number {
    return this.native.n_tokens;
  }

  /** Rows of logits that the batch asks for. */
  get outputs(): number {
    return this.#outputs;
  }

  clear(): void {
    this.#assertUnlocked();
    this.#ledger.rollback();
    this.native.n_tokens = 0;
    this.#outputs = 0;
  }

  add(token: number, position: number, sequence: number, wantLogits: boolean): number {
    this.#assertUnlocked();
    const index = this.native.n_tokens;
    if (index >= this.#capacity) throw new RangeError(`The batch is full (${this.#capacity} tokens).`);
    if (!Number.isInteger(token) || token < 0 || token >= this.#vocabularySize) {
      throw new RangeError(`Token id ${token} is outside of the vocabulary.`);
    }
    if (wantLogits && this.#outputs >= this.#maxOutputs) {
      throw new RangeError(`The batch asks for more than ${this.#maxOutputs} rows of logits.`);
    }
    this.#ledger.extend(sequence, position);
    this.#tokens[index] = token;
    this.#positions[index] = position;
    this.#sequences[index] = sequence;
    this.#wantLogits[index] = wantLogits ? 1 : 0;
    this.native.n_tokens = index + 1;
    return wantLogits ? this.#outputs++ : -1;
  }

  close(): void {
    this.#memory.free();
  }

  #assertUnlocked(): void {
    if (this.locked) throw new Error('The engine is decoding.');
  }
}
