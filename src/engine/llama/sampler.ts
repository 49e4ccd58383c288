import koffi from 'koffi';
import { failure } from '../../shared/errors.ts';
import type { Grammar, Sampler, SamplingParams, TokenLogprobs } from '../engine.ts';
import { argmax, logprobsOf } from '../logprobs.ts';
import type { Llama } from './functions.ts';
import { NativeMemory } from './native-memory.ts';
import type { Pointer } from './structs.ts';

/** sizeof(llama_token_data): i32 id, f32 logit, f32 p. */
const CANDIDATE_BYTES = 12;

/**
 * The ways through an ambiguous grammar multiply with every token, and the step loop waits for each check. A request
 * whose grammar grows like that ends here, long before a check takes minutes.
 */
const GRAMMAR_TOKEN_MS = 500;

/** LLAMA_DEFAULT_SEED in llama.h: the library draws a seed of its own. */
const RANDOM_SEED = 0xffffffff;

/** The llama_token_data_array that every sampler of one engine uses in turn. */
export class Candidates {
  readonly #data: NativeMemory;
  readonly #array: NativeMemory;
  readonly #ids: Int32Array;
  readonly #logits: Float32Array;
  readonly #header: DataView;
  readonly #vocabularySize: number;

  constructor(vocabularySize: number) {
    this.#vocabularySize = vocabularySize;
    this.#data = new NativeMemory(vocabularySize * CANDIDATE_BYTES);
    this.#ids = new Int32Array(this.#data.buffer);
    this.#logits = new Float32Array(this.#data.buffer);
    // llama_token_data_array: pointer data, size_t size, i64 selected, bool sorted.
    this.#array = new NativeMemory(32);
    this.#header = new DataView(this.#array.buffer);
  }

  get pointer(): Pointer {
    return this.#array.pointer;
  }

  /** Every token of the vocabulary with its logit. */
  fill(logits: Float32Array): void {
    const ids = this.#ids;
    const values = this.#logits;
    for (let token = 0, at = 0; token < logits.length; token++, at += 3) {
      ids[at] = token;
      values[at + 1] = logits[token]!;
    }
    this.#reset(this.#vocabularySize);
  }

  fillOne(token: number): void {
    this.#ids[0] = token;
    this.#logits[1] = 0;
    this.#reset(1);
  }

  /** Makes a token impossible; only right after {@link fill}. */
  exclude(token: number): void {
    this.#logits[token * 3 + 1] = Number.NEGATIVE_INFINITY;
  }

  /** Whether the single candidate of {@link fillOne} is still possible. */
  get onePossible(): boolean {
    return this.#logits[1] !== Number.NEGATIVE_INFINITY;
  }

  /** Whether any candidate is possible; only before something reorders them. */
  get anyPossible(): boolean {
    for (let at = 1; at < this.#logits.length; at += 3) {
      if (this.#logits[at] !== Number.NEGATIVE_INFINITY) return true;
    }
    return false;
  }

  /** The token that the chain selected. Samplers may have moved `data` elsewhere, so it is read through. */
  get selected(): number {
    const index = this.#header.getBigInt64(16, true);
    if (index < 0n || index >= this.#header.getBigUint64(8, true))
      throw new Error('The sampler chain selected nothing.');
    const data = this.#header.getBigUint64(0, true);
    return koffi.decode.int32(data + index * BigInt(CANDIDATE_BYTES));
  }

  #reset(size: number): void {
    this.#header.setBigUint64(0, this.#data.pointer, true);
    this.#header.setBigUint64(8, BigInt(size), true);
    this.#header.setBigInt64(16, -1n, true);
    this.#header.setUint8(24, 0);
  }

  close(): void {
    this.#data.free();
    this.#array.free();
  }
}

/** What a sampler needs of its engine. */
export interface SamplerHost {
  llama: Llama;
  vocabularySize: number;
  endOfGeneration: readonly number[];
  candidates: Candidates;
  /** The row's logits; valid until the next decode. */
  logits(row: number): Float32Array;
}

/** A grammar that libllama compiled. Given to a sampler, it is closed with it. */
export class LlamaGrammar implements Grammar {
  readonly pointer: Pointer;
  readonly #llama: Llama;
  #closed = false;

  constructor(llama: Llama, pointer: Pointer) {
    this.#llama = llama;
    this.pointer = pointer;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#llama.llama_sampler_free(this.pointer);
  }
}

/** One request's sampler: libllama's chain, or a plain maximum where nothing else is asked for. */
export class LlamaSampler implements Sampler {
  readonly #host: SamplerHost;
  readonly #chain: Pointer | undefined;
  readonly #grammar: LlamaGrammar | undefined;
  readonly #params: SamplingParams;
  #generated = 0;
  #closed = false;

  constructor(
    host: SamplerHost,
    params: SamplingParams,
    prompt: Int32Array,
    grammar: LlamaGrammar | undefined,
  ) {
    this.#host = host;
    this.#grammar = grammar;
    this.#params = params;
    this.#chain = needsChain(params, grammar) ? buildChain(host, params, prompt) : undefined;
  }

  sample(row: number): number {
    if (this.#closed) throw new Error('The sampler is closed.');
    const { llama, candidates } = this.#host;
    const logits = this.#host.logits(row);
    const mayEnd = this.#generated >= this.#params.minTokens;
    this.#generated++;
    if (this.#chain === undefined) return argmax(logits);

    let token = this.#choose(this.#chain, logits, mayEnd, false);
    if (this.#grammar) {
      const began = performance.now();
      // Checking one token is cheap, masking the vocabulary is not: mask only when the free choice is forbidden.
      candidates.fillOne(token);
      llama.llama_sampler_apply(this.#grammar.pointer, candidates.pointer);
      if (!candidates.onePossible) {
        token = this.#choose(this.#chain, logits, mayEnd, true);
        // A complete answer ends although it is short: the grammar allows nothing else.
        if (token < 0 && !mayEnd) token = this.#choose(this.#chain, logits, true, true);
        if (token < 0) return token;
      }
      // The library ends the process when a grammar accepts what it forbids; here it is allowed.
      llama.llama_sampler_accept(this.#grammar.pointer, token);
      if (performance.now() - began > GRAMMAR_TOKEN_MS) {
        throw failure('grammar_failed', {
          reason: 'it is so ambiguous that checking one token takes too long',
        });
      }
    }
    llama.llama_sampler_accept(this.#chain, token);
    return token;
  }

  logprobs(row: number, token: number, top: number): TokenLogprobs {
    return logprobsOf(this.#host.logits(row), token, top);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#chain !== undefined) this.#host.llama.llama_sampler_free(this.#chain);
    this.#grammar?.close();
  }

  /** -1 when the grammar allows nothing at all. */
  #choose(chain: Pointer, logits: Float32Array, mayEnd: boolean, masked: boolean): number {
    const { llama, candidates, endOfGeneration } = this.#host;
    candidates.fill(logits);
    if (!mayEnd) {
      for (const token of endOfGeneration) candidates.exclude(token);
      for (const token of this.#params.stopTokens) candidates.exclude(token);
    }
    if (masked && this.#grammar) {
      llama.llama_sampler_apply(this.#grammar.pointer, candidates.pointer);
      if (!candidates.anyPossible) return -1;
    }
    llama.llama_sampler_apply(chain, candidates.pointer);
    return candidates.selected;
  }
}

function needsChain(params: SamplingParams, grammar: Grammar | undefined): boolean {
  return (
    grammar !== undefined ||
    params.temperature > 0 ||
    params.minTokens > 0 ||
    params.logitBias.length > 0 ||
    params.repetitionPenalty !== 1 ||
    params.frequencyPenalty !== 0 ||
    params.presencePenalty !== 0
  );
}

/** The order is the one of llama.cpp's own tools: bias, penalties, top-k, top-p, min-p, temperature, draw. */
function buildChain(
  { llama, vocabularySize }: SamplerHost,
  params: SamplingParams,
  prompt: Int32Array,
): Pointer {
  const chain = llama.llama_sampler_chain_init({ no_perf: true });
  const add = (sampler: Pointer) => llama.llama_sampler_chain_add(chain, sampler);
  if (params.logitBias.length > 0) {
    const packed = new DataView(new ArrayBuffer(params.logitBias.length * 8));
    params.logitBias.forEach(({ token, bias }, i) => {
      packed.setInt32(i * 8, token, true);
      packed.setFloat32(i * 8 + 4, bias, true);
    });
    const count = params.logitBias.length;
    add(llama.llama_sampler_init_logit_bias(vocabularySize, count, new Uint8Array(packed.buffer)));
  }
  // The library's window of the last n tokens takes in the whole request: it never slides.
  const window = prompt.length + params.maxTokens;
  if (params.repetitionPenalty !== 1) {
    const penalties = llama.llama_sampler_init_penalties(
      vocabularySize,
      window,
      params.repetitionPenalty,
      0,
      0,
    );
    for (const token of prompt) llama.llama_sampler_accept(penalties, token);
    add(penalties);
  }
  if (params.frequencyPenalty !== 0 || params.presencePenalty !== 0) {
    const { frequencyPenalty, presencePenalty } = params;
    add(llama.llama_sampler_init_penalties(vocabularySize, window, 1, frequencyPenalty, presencePenalty));
  }
  if (params.temperature <= 0) {
    add(llama.llama_sampler_init_greedy());
    return chain;
  }
  if (params.topK > 0) add(llama.llama_sampler_init_top_k(params.topK));
  if (params.topP < 1) add(llama.llama_sampler_init_top_p(params.topP, 1));
  if (params.minP > 0) add(llama.llama_sampler_init_min_p(params.minP, 1));
  add(llama.llama_sampler_init_temp(params.temperature));
  add(llama.llama_sampler_init_dist(params.seed === RANDOM_SEED ? 0 : params.seed));
  return chain;
}
