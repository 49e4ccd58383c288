import { randomInt } from 'node:crypto';
import type { TokenLogprobs, Vocabulary } from '../engine/engine.ts';
import { GREEDY } from '../engine/greedy.ts';
import type { Fleet } from '../ranks/fleet.ts';
import type { Rank } from '../ranks/rank.ts';
import { type Clock, systemClock } from '../shared/clock.ts';
import { withDeadline } from '../shared/deadline.ts';
import { failure } from '../shared/errors.ts';
import type { CachedTokens } from '../shared/messages.ts';
import { type Namespace, namespaceSeed } from '../shared/page-keys.ts';
import { Answer, type AnswerToken, type Finish } from './answer.ts';
import { Generation, type GenerationRequest } from './generation.ts';
import type { Router } from './router.ts';

/** Hears of every answer, for metrics. Times in seconds. */
export interface AnswerObserver {
  firstToken(seconds: number): void;
  nextToken(seconds: number): void;
  ended(
    outcome: 'stop' | 'length' | 'abort' | 'error',
    seconds: number,
    tokens: { prompt: number; completion: number; cached: CachedTokens },
  ): void;
}

export interface TokenizerManagerOptions {
  vocabulary: Vocabulary;
  fleet: Fleet;
  router: Router;
  observer: AnswerObserver;
  /** Tokens that one request may hold. */
  contextLength: number;
  /** Makes the seeds of requests that bring none repeatable. */
  randomSeed: number | undefined;
}

const NOTHING_CACHED: CachedTokens = { device: 0, host: 0, storage: 0 };
/** Between two attempts to flush a rank that still moves pages. */
const FLUSH_RETRY_MS = 20;

const PLAIN: Namespace = { extraKey: undefined, cacheSalt: undefined };

/** Between HTTP and the ranks: text to tokens, requests to ranks, tokens to text. */
export class TokenizerManager {
  readonly vocabulary: Vocabulary;
  readonly fleet: Fleet;
  readonly contextLength: number;
  readonly #options: TokenizerManagerOptions;
  readonly #clock: Clock = systemClock;
  readonly #generations = new Map<string, Set<Generation>>();
  #inFlight = 0;
  #whenIdle: (() => void)[] = [];
  #nextId = 1;
  #seedState: number;

  constructor(options: TokenizerManagerOptions) {
    this.#options = options;
    this.vocabulary = options.vocabulary;
    this.fleet = options.fleet;
    this.contextLength = options.contextLength;
    this.#seedState = options.randomSeed ?? randomInt(2 ** 32);
  }

  /** Answers that are being generated. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Starts to generate. The answers end by themselves, with their failure if a rank refuses or loses them.
   *
   * @throws `empty_prompt`, `context_length_exceeded`, `token_out_of_range`, `no_rank`
   */
  generate(request: GenerationRequest): Generation {
    this.#check(request);
    const prompt = { tokens: request.prompt, namespace: request.namespace ?? PLAIN };
    const ranks = this.#options.router.choose(this.fleet.ranks, prompt, request.answers);
    if (ranks.length === 0) throw failure('no_rank', undefined);
    const started = this.#clock.now();
    const generation = new Generation(
      request.id,
      request.prompt.length,
      ranks.map((rank, i) => this.#startAnswer(rank, request, i, started)),
      ranks.map((rank) => rank.index),
    );
    this.#register(generation);
    return generation;
  }

  /** Generates one token from one token: whether a rank still computes. */
  probe(id: string): Generation {
    return this.generate({
      id,
      prompt: Int32Array.of(0),
      promptParam: 'prompt',
      answers: 1,
      stopStrings: [],
      ignoreEndOfGeneration: true,
      grammar: undefined,
      topLogprobs: undefined,
      special: false,
      keepStop: false,
      sampling: GREEDY,
    });
  }

  /** Aborts every generation of that id; all of them without one. Returns how many there were. */
  abort(id: string | undefined): number {
    const found = id === undefined ? [...this.#generations.values()] : [this.#generations.get(id) ?? []];
    const generations = found.flatMap((set) => [...set]);
    for (const generation of generations) generation.abort();
    return generations.length;
  }

  /** Resolves when nothing is being generated; rejects with `not_idle` when that takes longer. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
    await withDeadline(idle, timeoutMs, 'not_idle', { blockers: `#running-req=${this.#inFlight}` });
  }

  /**
   * Drops what all ranks hold in L1 and L2, as soon as nothing is generated or moved. Rejects with `not_idle` when that
   * takes longer, and with `no_rank` or `deadline_exceeded` when a rank does not answer.
   */
  async flush(timeoutMs: number): Promise<void> {
    const until = this.#clock.now() + timeoutMs;
    for (;;) {
      await this.idle(Math.max(0, until - this.#clock.now()));
      const busy = await this.fleet.flush();
      if (busy.length === 0) return;
      if (this.#clock.now() >= until)
        throw failure('not_idle', { blockers: `cache I/O of rank ${busy.join(', ')}` });
      // What a rank still does for requests that have ended, and its writes to the storage, end by themselves.
      await this.#clock.sleep(FLUSH_RETRY_MS);
    }
  }

  #check({ prompt, promptParam, sampling }: GenerationRequest): void {
    const context = { param: promptParam };
    if (prompt.length === 0) throw failure('empty_prompt', undefined, context);
    // One position is needed for the first token of the answer.
    if (prompt.length >= this.contextLength) {
      throw failure('context_length_exceeded', { limit: this.contextLength, got: prompt.length }, context);
    }
    const size = this.vocabulary.size;
    for (const token of prompt) {
      if (token < 0 || token >= size)
        throw failure('token_out_of_range', { token, vocabulary: size }, context);
    }
    for (const { token } of sampling.logitBias) {
      if (token >= size)
        throw failure('token_out_of_range', { token, vocabulary: size }, { param: 'logit_bias' });
    }
    for (const token of sampling.stopTokens) {
      if (token >= size)
        throw failure('token_out_of_range', { token, vocabulary: size }, { param: 'stop_token_ids' });
    }
  }

  #startAnswer(rank: Rank, request: GenerationRequest, index: number, started: number): Answer {
    const id = this.#nextId;
    // Ids travel as 32-bit integers.
    this.#nextId = this.#nextId >= 2 ** 31 - 1 ? 1 : this.#nextId + 1;
    const { sampling, prompt } = request;
    const seed = sampling.seed === undefined ? this.#drawSeed() : (sampling.seed + index) >>> 0;
    const maxTokens = Math.min(sampling.maxTokens ?? this.contextLength, this.contextLength - prompt.length);
    const answer: Answer = new Answer({
      vocabulary: this.vocabulary,
      stopStrings: request.stopStrings,
      minTokens: sampling.minTokens,
      special: request.special,
      keepStop: request.keepStop,
      onEnd: () => {
        rank.abort(id);
        this.#ended();
        this.#observeEnd(answer, prompt.length, started);
      },
    });
    this.#inFlight++;
    rank.generate(
      {
        id,
        prompt,
        sampling: { ...sampling, minTokens: Math.min(sampling.minTokens, maxTokens), maxTokens, seed },
        ignoreEndOfGeneration: request.ignoreEndOfGeneration,
        ...(request.grammar === undefined ? {} : { grammar: request.grammar }),
        ...(request.topLogprobs === undefined ? {} : { topLogprobs: request.topLogprobs }),
        ...(request.namespace === undefined ? {} : { prefixSeed: namespaceSeed(request.namespace) }),
        ...(request.priority === undefined ? {} : { priority: request.priority }),
      },
      this.#timed(answer, started),
    );
    return answer;
  }

  #timed(answer: Answer, started: number) {
    const { observer } = this.#options;
    let last: number | undefined;
    return {
      started: (cached: CachedTokens) => answer.started(cached),
      token: (token: AnswerToken['id'], logprobs: TokenLogprobs | null) => {
        const now = this.#clock.now();
        if (last === undefined) observer.firstToken((now - started) / 1000);
        else observer.nextToken((now - last) / 1000);
        last = now;
        answer.token(token, logprobs);
      },
      finished: answer.finished.bind(answer),
      failed: answer.failed.bind(answer),
    };
  }

  #observeEnd(answer: Answer, prompt: number, started: number): void {
    const finish: Finish | undefined = answer.finish;
    this.#options.observer.ended(finish?.reason ?? 'error', (this.#clock.now() - started) / 1000, {
      prompt,
      completion: finish?.completionTokens ?? 0,
      cached: finish?.cached ?? NOTHING_CACHED,
    });
  }

  #register(generation: Generation): void {
    const { id } = generation;
    const same = this.#generations.get(id) ?? new Set();
    this.#generations.set(id, same.add(generation));
    void Promise.all(generation.answers.map((answer) => answer.ended)).then(() => {
      same.delete(generation);
      if (same.size === 0 && this.#generations.get(id) === same) this.#generations.delete(id);
    });
  }

  #ended(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** SplitMix32: one seed after the other, all different for 2^32 draws. */
  #drawSeed(): number {
    this.#seedState = (this.#seedState + 0x9e3779b9) >>> 0;
    let z = this.#seedState;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }
}
