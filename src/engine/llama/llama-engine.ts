import koffi from 'koffi';
import { failure } from '../../shared/errors.ts';
import type {
  DecodeOutcome,
  Engine,
  EngineLimits,
  Grammar,
  ModelInfo,
  PageAccess,
  PageMemory,
  Sampler,
  SamplingParams,
} from '../engine.ts';
import { SequenceLedger } from '../sequence-ledger.ts';
import { LlamaBatch } from './batch.ts';
import { computingDevice } from './computing-device.ts';
import type { Llama } from './functions.ts';
import { kvVariant } from './kv-variant.ts';
import { findLibrary, type GpuChoice } from './library.ts';
import { libcFunction, loadLibrary } from './load.ts';
import { describeModel, headWidth, loadModel, whyNotGenerative } from './model.ts';
import { checkModelFile } from './model-file.ts';
import { NativeMemory } from './native-memory.ts';
import { PageLayout } from './page-layout.ts';
import { pageMemory } from './page-memory.ts';
import { LlamaPages, type PageHost } from './pages.ts';
import { Candidates, LlamaGrammar, LlamaSampler, type SamplerHost } from './sampler.ts';
import { checkPages } from './self-check.ts';
import type { Pointer } from './structs.ts';
import { ThreadPool } from './thread-pool.ts';

/** GGML_TYPE_F16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0 in ggml.h. */
export const KV_CACHE_TYPES = { f16: 1, q8_0: 8, q4_0: 2 } as const;
export type KvCacheType = keyof typeof KV_CACHE_TYPES;

const FLASH_ATTENTION_ON = 1;
/** Results of llama_decode. */
const OUTCOMES: Partial<Record<number, DecodeOutcome>> = { 0: 'done', 1: 'no-room', 2: 'aborted' };

export interface LlamaEngineOptions {
  modelPath: string;
  gpu: GpuChoice;
  /** Layers on the GPU; -1 is all. */
  gpuLayers: number;
  cells: number;
  batchTokens: number;
  sequences: number;
  /** Rows of logits in one batch. */
  outputs: number;
  /** Tokens in a page. */
  pageSize: number;
  threads: number;
  /** Whether no other rank computes on this machine. */
  ownsCores: boolean;
  kvCacheType: KvCacheType;
  onProgress?: (fraction: number) => void;
}

/**
 * Loads a model and makes its context. Refuses to start when the library does not do what was asked of it.
 *
 * @throws `model_file`, `model_unsupported`, `library_missing`, `library_mismatch`, `engine_failed`
 */
export async function openLlamaEngine(options: LlamaEngineOptions): Promise<Engine> {
  await checkModelFile(options.modelPath);
  const llama = loadLibrary(findLibrary(options.gpu));
  // The build for Apple's CPUs is the Metal build: off means that nothing is given to it.
  const gpuLayers = options.gpu === 'off' ? 0 : options.gpuLayers;
  const model = await loadModel(llama, options.modelPath, { ...options, gpuLayers });
  const reason = whyNotGenerative(llama, model);
  if (reason) {
    llama.llama_model_free(model);
    throw failure('model_unsupported', { path: options.modelPath, reason });
  }
  const engine = await LlamaEngine.create(llama, model, options);
  try {
    if (engine.model.paging.supported) await engine.openPages(options.pageSize, pageMemory(llama, options));
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

class LlamaEngine implements Engine {
  model: ModelInfo;
  pages: PageAccess | undefined;
  readonly limits: EngineLimits;
  readonly batch: LlamaBatch;
  readonly #llama: Llama;
  readonly #context: Pointer;
  readonly #modelPointer: Pointer;
  readonly #vocabulary: Pointer;
  readonly #memory: Pointer;
  readonly #ledger: SequenceLedger;
  readonly #host: SamplerHost;
  readonly #abortFlag: NativeMemory;
  readonly #threads: ThreadPool;
  #decoding: Promise<DecodeOutcome> | undefined;
  /** Rows of logits that the last decode left. */
  #rows = 0;
  #logits: Float32Array | undefined;
  #closed = false;

  static async create(llama: Llama, model: Pointer, options: LlamaEngineOptions): Promise<LlamaEngine> {
    checkKvCacheType(llama, model, options.kvCacheType);
    const device = computingDevice(llama, options);
    const info = describeModel(llama, model, device ? llama.ggml_backend_dev_name(device) : 'CPU');
    // One more for pages; where there are none, an id can cost memory.
    const sequenceIds = options.sequences + (info.paging.supported ? 1 : 0);
    if (sequenceIds > llama.llama_max_parallel_sequences())
      throw failure('bad_option', { reason: `llama.cpp cannot keep ${sequenceIds} sequences apart` });
    const abortFlag = new NativeMemory(2);
    // The library takes no batch beyond its cells.
    const batchTokens = Math.min(options.batchTokens, options.cells);
    const params = llama.llama_context_default_params();
    Object.assign(params, {
      n_ctx: options.cells,
      n_batch: batchTokens,
      n_ubatch: Math.min(512, batchTokens),
      n_seq_max: sequenceIds,
      // It reserves a row for each sequence, and ends the process where fewer are allowed.
      n_outputs_max: Math.max(options.outputs, sequenceIds),
      n_threads: options.threads,
      n_threads_batch: options.threads,
      type_k: KV_CACHE_TYPES[options.kvCacheType],
      type_v: KV_CACHE_TYPES[options.kvCacheType],
      // One pool of cells for all sequences: a prefix is shared without a copy. With flash attention, foreign
      // cells cost little and V is stored row by row.
      kv_unified: true,
      flash_attn_type: FLASH_ATTENTION_ON,
      offload_kqv: options.gpu !== 'off',
      op_offload: options.gpu !== 'off',
      // The library asks between operations whether to stop; strlen of the flag answers without JavaScript.
      abort_callback: libcFunction('strlen'),
      abort_callback_data: abortFlag.pointer,
    });
    const context = await new Promise<Pointer | null>((resolve, reject) => {
      llama.llama_init_from_model.async(model, params, (error, pointer) =>
        error ? reject(error) : resolve(pointer),
      );
    });
    if (context === null)
      throw failure('engine_failed', { reason: 'there is not enough memory for the KV cells' });
    const cells = llama.llama_n_ctx(context);
    const sequences = llama.llama_n_seq_max(context);
    if (cells < options.cells || sequences !== sequenceIds) {
      throw failure('library_mismatch', {
        reason: `asked for ${options.cells} cells and ${sequenceIds} sequences, it gave ${cells} and ${sequences}`,
      });
    }
    const largest = llama.llama_n_batch(context);
    if (largest < batchTokens) {
      throw failure('library_mismatch', {
        reason: `asked for batches of ${batchTokens} tokens, it gave ${largest}`,
      });
    }
    const threads = new ThreadPool(llama, options.threads, options.ownsCores);
    llama.llama_attach_threadpool(context, threads.pointer, threads.pointer);
    return new LlamaEngine(llama, model, info, context, abortFlag, threads, { ...options, batchTokens });
  }

  private constructor(
    llama: Llama,
    model: Pointer,
    info: ModelInfo,
    context: Pointer,
    abortFlag: NativeMemory,
    threads: ThreadPool,
    options: LlamaEngineOptions,
  ) {
    this.#llama = llama;
    this.#modelPointer = model;
    this.#context = context;
    this.#abortFlag = abortFlag;
    this.#threads = threads;
    this.#memory = llama.llama_get_memory(context);
    this.#vocabulary = llama.llama_model_get_vocab(model);
    this.model = info;
    const { cells, batchTokens, sequences, outputs } = options;
    this.limits = { cells, batchTokens, sequences, outputs };
    this.#ledger = new SequenceLedger(sequences);
    const { vocabularySize } = info;
    this.batch = new LlamaBatch(batchTokens, outputs, vocabularySize, this.#ledger);
    const endOfGeneration: number[] = [];
    for (let token = 0; token < vocabularySize; token++) {
      if (this.isEndOfGeneration(token)) endOfGeneration.push(token);
    }
    this.#host = {
      llama,
      vocabularySize,
      endOfGeneration,
      candidates: new Candidates(vocabularySize),
      logits: (row) => this.#row(row),
    };
  }

  /** Checks that KV leaves and comes back unchanged, and makes {@link pages}. The engine is empty before and after. */
  async openPages(pageSize: number, memory: PageMemory): Promise<void> {
    const host: PageHost & { llama: Llama } = {
      llama: this.#llama,
      context: this.#context,
      memory: this.#memory,
      ledger: this.#ledger,
      cells: this.limits.cells,
      scratch: this.limits.sequences,
      assertIdle: () => this.#assertIdle(),
    };
    const cells = this.#llama.llama_n_ctx(this.#context);
    const variant = kvVariant(this.#llama, this.#modelPointer, cells);
    const shape = await checkPages(host, this, variant);
    if (shape) this.pages = new LlamaPages(host, new PageLayout(shape, pageSize, variant), memory);
    else
      this.model = { ...this.model, paging: { supported: false, reason: 'its state has a form of its own' } };
  }

  async decode(): Promise<DecodeOutcome> {
    this.#assertIdle();
    if (this.batch.size === 0) throw new Error('The batch is empty.');
    if (this.batch.size !== this.#ledger.pending) throw new Error('The batch is an old one: clear it first.');
    this.#rows = 0;
    this.#logits = undefined;
    this.#setAbort(false);
    this.batch.locked = true;
    this.#decoding = this.#decodeBatch();
    try {
      return await this.#decoding;
    } finally {
      this.#decoding = undefined;
      this.batch.locked = false;
    }
  }

  abortDecode(): void {
    if (this.#decoding) this.#setAbort(true);
  }

  get cellsInUse(): number {
    return this.#ledger.used;
  }

  sequenceLength(sequence: number): number {
    return this.#ledger.length(sequence);
  }

  sequenceCells(sequence: number): Int32Array {
    return this.#ledger.cells(sequence);
  }

  truncateSequence(sequence: number, from: number): void {
    this.#assertIdle();
    this.#ledger.assertHolds(sequence, from);
    if (!this.#llama.llama_memory_seq_rm(this.#memory, sequence, from, -1)) {
      throw failure('engine_failed', { reason: `sequence ${sequence} cannot be cut at ${from}` });
    }
    this.#ledger.truncate(sequence, from);
  }

  sharePrefix(source: number, target: number, length: number): void {
    this.#assertIdle();
    const { paging } = this.model;
    // Not all of these have a cell for every position, of which a prefix could be made.
    if (!paging.supported)
      throw failure('engine_failed', { reason: `the model's KV cannot be shared: ${paging.reason}` });
    const from = this.#ledger.common(source, target, length);
    // Copying adds cells to those of the target: its own ones at these positions would stay beside them.
    this.#llama.llama_memory_seq_rm(this.#memory, target, from, length);
    this.#llama.llama_memory_seq_cp(this.#memory, source, target, from, length);
    this.#ledger.share(source, target, length);
  }

  async compileGrammar(gbnf: string): Promise<Grammar> {
    this.#assertOpen();
    // The library takes an empty one for the wish to have none.
    if (gbnf.trim() === '') throw failure('grammar_failed', { reason: 'it is empty' });
    const pointer = await new Promise<Pointer | null>((resolve, reject) => {
      this.#llama.llama_sampler_init_grammar.async(this.#vocabulary, gbnf, 'root', (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
    if (pointer === null) throw failure('grammar_failed', { reason: 'llama.cpp cannot parse it' });
    return new LlamaGrammar(this.#llama, pointer);
  }

  createSampler(params: SamplingParams, promptTokens: Int32Array, grammar?: Grammar): Sampler {
    this.#assertOpen();
    if (grammar !== undefined && !(grammar instanceof LlamaGrammar))
      throw new TypeError('The grammar is of another engine.');
    return new LlamaSampler(this.#host, params, promptTokens, grammar);
  }

  isEndOfGeneration(token: number): boolean {
    return this.#llama.llama_vocab_is_eog(this.#vocabulary, token);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#rows = 0;
    this.abortDecode();
    await this.#decoding?.catch(() => undefined);
    this.#llama.llama_free(this.#context);
    this.#threads.close();
    this.#llama.llama_model_free(this.#modelPointer);
    this.#host.candidates.close();
    this.batch.close();
    this.#abortFlag.free();
  }

  async #decodeBatch(): Promise<DecodeOutcome> {
    const code = await new Promise<number>((resolve, reject) => {
      this.#llama.llama_decode.async(this.#context, this.batch.native, (error, result) =>
        error ? reject(error) : resolve(result),
      );
    });
    const outcome = OUTCOMES[code];
    if (outcome === 'done') {
      this.#ledger.commit();
      this.#rows = this.batch.outputs;
    } else if (outcome !== 'no-room') {
      this.#discardPartial();
    }
    if (!outcome) throw failure('engine_failed', { reason: `llama_decode answered ${code}` });
    return outcome;
  }

  /** Micro-batches that were finished before the stop stay in the cells; they are taken out again. */
  #discardPartial(): void {
    for (const sequence of this.#ledger.extended()) {
      const length = this.#ledger.length(sequence);
      if (this.#llama.llama_memory_seq_rm(this.#memory, sequence, length, -1)) continue;
      // A recurrent state cannot go back: the sequence starts again.
      this.#llama.llama_memory_seq_rm(this.#memory, sequence, -1, -1);
      this.#ledger.truncate(sequence, 0);
    }
    this.#ledger.rollback();
  }

  #row(row: number): Float32Array {
    this.#assertIdle();
    if (!Number.isInteger(row) || row < 0 || row >= this.#rows)
      throw new RangeError(`The batch has no row ${row} of logits.`);
    const { vocabularySize } = this.model;
    if (!this.#logits) {
      const pointer = this.#llama.llama_get_logits(this.#context);
      if (pointer === null) throw failure('engine_failed', { reason: 'there are no logits' });
      this.#logits = new Float32Array(koffi.view(pointer, this.#rows * vocabularySize * 4));
    }
    return this.#logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
  }

  #setAbort(abort: boolean): void {
    new Uint8Array(this.#abortFlag.buffer)[0] = abort ? 1 : 0;
  }

  #assertIdle(): void {
    this.#assertOpen();
    if (this.#decoding) throw new Error('The engine is decoding.');
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('The engine is closed.');
  }
}

/** Quantised types come in blocks of 32 values, and a head begins with a block. */
function checkKvCacheType(llama: Llama, model: Pointer, type: KvCacheType): void {
  const width = headWidth(llama, model);
  if (type === 'f16' || width === undefined || width % 32 === 0) return;
  const reason = `--kv-cache-dtype ${type} needs heads of a multiple of 32 values; this model's have ${width}.`;
  throw failure('bad_option', { reason });
}
