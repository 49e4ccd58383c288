/**
 * The engine as the scheduler sees it: one model with one KV memory, sequences of positions in it,
 * and batches that extend them. One owner calls it, one call at a time; only {@link Engine.abortDecode}
 * may be called while a decode runs. Two implementations: `llama/` and `simulated/`.
 */
export interface Engine {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  /** The batch that {@link decode} takes. Owned by the engine; the caller fills it between two decodes. */
  readonly batch: Batch;
  /**
   * Computes the batch and extends its sequences.
   *
   * - `done`: every token was computed; rows of logits are valid until the next decode.
   * - `no-room`: the KV cells do not suffice; nothing changed.
   * - `aborted`: {@link abortDecode} stopped it; every sequence has the length it had before, or is empty
   *   where the model cannot be rolled back. {@link sequenceLength} says which.
   *
   * Rejects with `engine_failed` when the library refuses the batch; the sequences are rolled back.
   */
  decode(): Promise<DecodeOutcome>;
  /** Makes a running decode return soon with `aborted`. Without one it does nothing. */
  abortDecode(): void;
  /** KV cells that sequences hold. */
  readonly cellsInUse: number;
  /** The number of positions (0 to n-1) that a sequence holds. */
  sequenceLength(sequence: number): number;
  /**
   * The cells of those positions, as numbers that are equal where the cells are the same; for checks. Owned by the
   * engine, valid until a sequence changes.
   */
  sequenceCells(sequence: number): Int32Array;
  /** Drops the positions from `from` on; `from` 0 empties the sequence. Cells that no sequence holds are free. */
  truncateSequence(sequence: number, from: number): void;
  /**
   * Makes the first `length` positions of `target` the cells of `source`, in place of those that it held there: both
   * then hold the same cells, nothing is copied. What `target` holds from `length` on stays.
   * Throws when `source` holds less than `length`, the two are one sequence, or the model's KV cannot be paged.
   */
  sharePrefix(source: number, target: number, length: number): void;
  /** How KV leaves and enters in pages; undefined where the model cannot do that. */
  readonly pages: PageAccess | undefined;
  /** Compiles a GBNF grammar away from the calling thread; rejects with `grammar_failed`. The caller closes it. */
  compileGrammar(gbnf: string): Promise<Grammar>;
  /** Makes the sampler of one request. It takes ownership of the grammar. The caller closes the sampler. */
  createSampler(params: SamplingParams, promptTokens: Int32Array, grammar?: Grammar): Sampler;
  isEndOfGeneration(token: number): boolean;
  /** Frees everything, after a running decode has returned. */
  close(): Promise<void>;
}

/**
 * KV as pages: the bytes of `tokens` positions, all layers, in one block. The bytes depend only on the tokens up to the
 * page's end and on {@link format}, not on cells, sequences or the process: a page that was saved by one engine is
 * restored by another one of the same model and format.
 */
export interface PageAccess {
  /** Positions in a page. */
  readonly tokens: number;
  /** Bytes of a page. */
  readonly bytes: number;
  /** Names everything besides the weights that decides the bytes: KV types, layers, sizes, state format. */
  readonly format: string;
  /**
   * Copies the KV of positions `from` to `from + tokens × into.length` of a sequence into buffers of {@link bytes}
   * bytes, one page each. Changes nothing. Throws when the sequence does not hold them.
   */
  save(sequence: number, from: number, into: readonly Uint8Array[]): void;
  /** Whether bytes are a page of this format whose first token is at `position`. Changes nothing. */
  accepts(page: Uint8Array, position: number): boolean;
  /**
   * Extends a sequence, which must hold exactly `from` positions, by saved pages.
   *
   * - `done`: all of them.
   * - `no-room`: the free cells do not suffice; nothing changed.
   * - `rejected`: a page is not one of this format and position; nothing changed.
   */
  restore(sequence: number, from: number, pages: readonly Uint8Array[]): RestoreOutcome;
  /**
   * Extends a sequence, which must hold exactly `from` positions, by those of a saved page up to `to`: of what the page
   * holds, what stands before and behind is left out. While it does, the cells of the whole page must be free.
   * Throws when the page does not hold those positions; outcomes as of {@link restore}.
   *
   * @param start the position of the page's first token
   */
  restorePart(sequence: number, from: number, to: number, page: Uint8Array, start: number): RestoreOutcome;
  /** What to keep pages in; undefined where any memory is as good. */
  readonly memory: PageMemory | undefined;
}

/**
 * Host memory that pages are quickly copied to and from. It is freed once nobody refers to its buffer any more. Undefined
 * is what the system refuses.
 */
export interface PageMemory {
  /** How much of it is worth having before any is needed, in bytes. */
  readonly aheadBytes: number;
  /** Memory that is needed now. */
  allocate(bytes: number): ArrayBuffer | undefined;
  /**
   * Memory for later, made ready on another thread. That takes milliseconds for tens of MiB, in which calls to the device
   * can have to wait. Never rejects.
   */
  allocateAhead(bytes: number): Promise<ArrayBuffer | undefined>;
}

export type RestoreOutcome = 'done' | 'no-room' | 'rejected';

export type DecodeOutcome = 'done' | 'no-room' | 'aborted';

export interface EngineLimits {
  /** KV cells: positions that all sequences hold together. */
  readonly cells: number;
  /** Tokens in one batch. */
  readonly batchTokens: number;
  /** Sequence ids: 0 to n-1. */
  readonly sequences: number;
  /** Rows of logits in one batch. */
  readonly outputs: number;
}

export interface ModelInfo {
  readonly description: string;
  readonly architecture: string;
  /** Tokens; logits have this many columns. */
  readonly vocabularySize: number;
  /** The context that the model was trained for, in tokens. */
  readonly trainedContext: number;
  readonly parameters: number;
  /** Size of the weights. */
  readonly bytes: number;
  /** Whether the KV of a prefix can be taken out, kept and put back page by page. */
  readonly paging: Paging;
  /** Where the model runs, such as `CPU` or `CUDA0`. */
  readonly device: string;
}

export type Paging = { readonly supported: true } | { readonly supported: false; readonly reason: string };

export interface Batch {
  /** Tokens added since the last {@link clear}. */
  readonly size: number;
  clear(): void;
  /**
   * Adds one token. Throws when the batch is full, the token or sequence is out of range, or the position
   * is not the next one of its sequence.
   *
   * @param wantLogits whether this token's logits will be read
   * @returns the row under which a {@link Sampler} finds its logits
   */
  add(token: number, position: number, sequence: number, wantLogits: boolean): number;
}

/** A compiled grammar, not yet given to a sampler. */
export interface Grammar {
  close(): void;
}

export interface Sampler {
  /** Chooses the token that follows the given row of the last batch, and remembers it; -1 when none is allowed. */
  sample(row: number): number;
  /**
   * The natural logarithms of the model's probabilities at a row, before any sampling parameter:
   * of `token`, and of the `top` likeliest tokens in falling order. Changes nothing.
   */
  logprobs(row: number, token: number, top: number): TokenLogprobs;
  close(): void;
}

export interface TokenLogprobs {
  logprob: number;
  top: { token: number; logprob: number }[];
}

/** What decides the next token, in the order in which it is applied. */
export interface SamplingParams {
  /** Added to the logits of single tokens. */
  logitBias: { token: number; bias: number }[];
  /** Tokens that end the answer besides the model's own end of generation. */
  stopTokens: number[];
  /** While fewer tokens are generated, none that ends the answer is chosen, unless a grammar allows nothing else. */
  minTokens: number;
  /** The most tokens that will be sampled: how far penalties look back beyond the prompt. */
  maxTokens: number;
  /** Divides (or multiplies) the logits of tokens in the prompt and the answer; 1 is off. */
  repetitionPenalty: number;
  /** Subtracted once per occurrence in the answer; 0 is off. */
  frequencyPenalty: number;
  /** Subtracted once for tokens in the answer; 0 is off. */
  presencePenalty: number;
  /** 0 chooses the likeliest token. */
  temperature: number;
  /** 0 is off. */
  topK: number;
  /** 1 is off. */
  topP: number;
  /** 0 is off. */
  minP: number;
  /** Unsigned 32 bits: the same seed draws the same tokens from the same logits. */
  seed: number;
}

/** The vocabulary of a model: text to tokens and back. Safe to use while an engine decodes. */
export interface Vocabulary {
  readonly size: number;
  /** Jinja source of the model's chat template, if it has one. */
  readonly chatTemplate: string | undefined;
  /** Text of the begin and end tokens, as chat templates want them; empty where the model has none. */
  readonly beginText: string;
  readonly endText: string;
  readonly name: string;
  readonly trainedContext: number;
  /** K and V values of one token over all layers, each; undefined where the file does not say. */
  readonly kvValuesPerToken: number | undefined;
  /**
   * @param addSpecial whether the model's begin (and end) tokens are added
   * @param parseSpecial whether special tokens written out in the text become those tokens
   */
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Promise<Int32Array>;
  /**
   * The bytes of one token; they may end inside of a character. Control tokens are empty unless `special`.
   * Throws when there is no such token.
   */
  piece(token: number, special: boolean): Uint8Array;
  isEndOfGeneration(token: number): boolean;
  /** Frees it, after texts that are being tokenized. */
  close(): void;
}
