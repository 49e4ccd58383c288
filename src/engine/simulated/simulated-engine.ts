import type { Clock } from '../../shared/clock.ts';
import { failure } from '../../shared/errors.ts';
import type {
  Batch,
  DecodeOutcome,
  Engine,
  EngineLimits,
  Grammar,
  ModelInfo,
  Sampler,
  SamplingParams,
} from '../engine.ts';
import { SequenceLedger } from '../sequence-ledger.ts';
import { EMPTY_PREFIX, extendPrefix, logitsAfter, SIMULATED_END } from './prefix-function.ts';
import { type SimulatedKv, SimulatedPages } from './simulated-pages.ts';
import { SimulatedSampler } from './simulated-sampler.ts';

export interface SimulatedEngineOptions extends Omit<EngineLimits, 'outputs'> {
  clock: Clock;
  /** Rows of logits in one batch; as many as there are sequences when left out. */
  outputs?: number;
  /** Tokens in a page. */
  pageSize: number;
  vocabularySize: number;
  /** Virtual time of one batch, however small. */
  msPerBatch: number;
  msPerToken: number;
  msPerGrammar: number;
}

interface Entry {
  token: number;
  position: number;
  sequence: number;
  row: number;
}

/**
 * An engine without a model. The KV of a position is the state of a prefix function, so what is sampled is right
 * only if every position before it is the right one; the ledger throws on a missing or repeated position.
 */
export class SimulatedEngine implements Engine {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  readonly batch: Batch;
  readonly pages: SimulatedPages;
  readonly #options: SimulatedEngineOptions;
  readonly #ledger: SequenceLedger;
  readonly #kv: SimulatedKv[];
  #entries: Entry[] = [];
  /** Rows of logits that the batch asks for. */
  #outputs = 0;
  #rows: Float32Array[] = [];
  #decoding: AbortController | undefined;
  #openSamplers = 0;
  #openGrammars = 0;
  #failNext: Error | undefined;

  constructor(options: SimulatedEngineOptions) {
    this.#options = options;
    const { cells, batchTokens, sequences, outputs = sequences } = options;
    this.limits = { cells, batchTokens, sequences, outputs };
    this.#ledger = new SequenceLedger(sequences);
    this.#kv = Array.from({ length: sequences }, () => ({ tokens: [], states: [] }));
    const host = { ledger: this.#ledger, cells, kv: this.#kv, assertIdle: () => this.#assertIdle() };
    this.pages = new SimulatedPages(host, options.pageSize);
    this.model = {
      description: 'simulated',
      architecture: 'simulated',
      vocabularySize: options.vocabularySize,
      trainedContext: options.cells,
      parameters: 0,
      bytes: 0,
      paging: { supported: true },
      device: 'CPU',
    };
    const add = this.#add.bind(this);
    const entries = () => this.#entries;
    this.batch = {
      get size() {
        return entries().length;
      },
      clear: () => {
        this.#assertIdle();
        this.#ledger.rollback();
        this.#entries = [];
        this.#outputs = 0;
      },
      add,
    };
  }

  get cellsInUse(): number {
    return this.#ledger.used;
  }

  /** Samplers and grammars that were not closed. */
  get open(): { samplers: number; grammars: number } {
    return { samplers: this.#openSamplers, grammars: this.#openGrammars };
  }

  /** Makes the next decode fail, as a library that refuses a batch. */
  failNextDecode(reason: string): void {
    this.#failNext = failure('engine_failed', { reason });
  }

  async decode(): Promise<DecodeOutcome> {
    this.#assertIdle();
    if (this.#entries.length === 0) throw new Error('The batch is empty.');
    if (this.#entries.length !== this.#ledger.pending)
      throw new Error('The batch is an old one: clear it first.');
    this.#rows = [];
    const { clock, msPerBatch, msPerToken } = this.#options;
    if (this.#ledger.used + this.#entries.length > this.limits.cells) return 'no-room';
    const abort = new AbortController();
    this.#decoding = abort;
    await clock.sleep(msPerBatch + msPerToken * this.#entries.length, abort.signal);
    this.#decoding = undefined;
    const failed = this.#failNext;
    this.#failNext = undefined;
    if (failed || abort.signal.aborted) {
      this.#ledger.rollback();
      if (failed) throw failed;
      return 'aborted';
    }
    for (const entry of this.#entries) this.#compute(entry);
    this.#ledger.commit();
    return 'done';
  }

  abortDecode(): void {
    this.#decoding?.abort();
  }

  sequenceLength(sequence: number): number {
    return this.#ledger.length(sequence);
  }

  sequenceCells(sequence: number): Int32Array {
    return this.#ledger.cells(sequence);
  }

  truncateSequence(sequence: number, from: number): void {
    this.#assertIdle();
    this.#ledger.truncate(sequence, from);
    const { tokens, states } = this.#kv[sequence]!;
    tokens.length = from;
    states.length = from;
  }

  /** Throws also when what the target holds from `length` on was computed after another prefix. */
  sharePrefix(source: number, target: number, length: number): void {
    this.#assertIdle();
    this.#ledger.share(source, target, length);
    const [given, taken] = [this.#kv[source]!, this.#kv[target]!];
    const last = length - 1;
    if (taken.states.length > length && taken.states[last] !== given.states[last]) {
      throw new Error(
        `A wrong prefix for sequence ${target}: position ${length} does not continue those of sequence ${source}.`,
      );
    }
    for (let position = 0; position < length; position++) {
      taken.tokens[position] = given.tokens[position]!;
      taken.states[position] = given.states[position]!;
    }
  }

  async compileGrammar(gbnf: string): Promise<Grammar> {
    await this.#options.clock.sleep(this.#options.msPerGrammar);
    if (gbnf === '') throw failure('grammar_failed', { reason: 'it is empty' });
    this.#openGrammars++;
    return { close: () => this.#openGrammars-- };
  }

  createSampler(params: SamplingParams, _promptTokens: Int32Array, grammar?: Grammar): Sampler {
    this.#openSamplers++;
    const close = () => {
      this.#openSamplers--;
      grammar?.close();
    };
    return new SimulatedSampler(params, (row) => this.#row(row), close);
  }

  isEndOfGeneration(token: number): boolean {
    return token === SIMULATED_END;
  }

  async close(): Promise<void> {
    this.abortDecode();
  }

  #add(token: number, position: number, sequence: number, wantLogits: boolean): number {
    this.#assertIdle();
    if (this.#entries.length >= this.limits.batchTokens) throw new RangeError('The batch is full.');
    if (!Number.isInteger(token) || token < 0 || token >= this.model.vocabularySize)
      throw new RangeError(`There is no token ${token}.`);
    if (wantLogits && this.#outputs >= this.limits.outputs)
      throw new RangeError(`The batch asks for more than ${this.limits.outputs} rows of logits.`);
    this.#ledger.extend(sequence, position);
    const row = wantLogits ? this.#outputs++ : -1;
    this.#entries.push({ token, position, sequence, row });
    return row;
  }

  #assertIdle(): void {
    if (this.#decoding) throw new Error('The engine is decoding.');
  }

  #compute({ token, position, sequence, row }: Entry): void {
    const { tokens, states } = this.#kv[sequence]!;
    if (states.length !== position)
      throw new Error(`Sequence ${sequence} holds ${states.length} states at ${position}.`);
    const state = extendPrefix(states.at(-1) ?? EMPTY_PREFIX, token);
    tokens.push(token);
    states.push(state);
    if (row >= 0) this.#rows[row] = logitsAfter(state, this.model.vocabularySize);
  }

  #row(row: number): Float32Array {
    const logits = this.#rows[row];
    if (!logits) throw new RangeError(`The batch has no row ${row} of logits.`);
    return logits;
  }
}

/** What an answer must be: the greedy tokens after a prompt, computed directly. */
export function expectedGreedy(
  prompt: Iterable<number>,
  maxTokens: number,
  vocabularySize: number,
): number[] {
  let state = EMPTY_PREFIX;
  for (const token of prompt) state = extendPrefix(state, token);
  const answer: number[] = [];
  while (answer.length < maxTokens && answer.at(-1) !== SIMULATED_END) {
    const logits = logitsAfter(state, vocabularySize);
    const token = logits.indexOf(Math.max(...logits));
    answer.push(token);
    state = extendPrefix(state, token);
  }
  return answer;
}
