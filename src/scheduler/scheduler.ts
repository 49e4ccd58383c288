import type { DecodeOutcome, Engine, Sampler } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import { type Failure, failure, toFailure } from '../shared/errors.ts';
import type { RankReport, SchedulerLimits } from '../shared/messages.ts';
import { Wakeup } from '../shared/wakeup.ts';
import { fits } from './admission.ts';
import { GrammarQueue } from './grammar-queue.ts';
import type { SchedulerOutput, StopToken } from './output.ts';
import { Request, type RequestSpec } from './request.ts';
import { StepOutput } from './step-output.ts';
import { type PlannedWork, planStep } from './step-plan.ts';

/**
 * Serves the requests of one rank with one engine: continuous batching with chunked prefill. Everything happens
 * on one thread; while a batch is computed, {@link submit} and {@link abort} only take note.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #limits: SchedulerLimits;
  readonly #output: SchedulerOutput;
  readonly #wakeup = new Wakeup();
  readonly #grammars: GrammarQueue;
  readonly #step: StepOutput;
  /** Every request that has not ended, by id. */
  readonly #requests = new Map<number, Request>();
  readonly #waiting: Request[] = [];
  /** In order of arrival. */
  #running: Request[] = [];
  readonly #sequences: number;
  readonly #freeSequences: number[];
  #batched: PlannedWork[] = [];
  #arrivals = 0;
  #steps = 0;
  #preemptions = 0;
  #stopped = false;

  constructor(engine: Engine, limits: SchedulerLimits, output: SchedulerOutput, clock: Clock) {
    this.#engine = engine;
    this.#limits = limits;
    this.#output = output;
    this.#grammars = new GrammarQueue(engine, clock);
    this.#step = new StepOutput(limits.maxRunningRequests);
    this.#sequences = Math.min(limits.maxRunningRequests, engine.limits.sequences);
    this.#freeSequences = Array.from({ length: this.#sequences }, (_, i) => this.#sequences - 1 - i);
  }

  /** Takes a request over. It is answered through the output, also when it is refused. */
  submit(spec: RequestSpec): void {
    const refusal = this.#whyRefused(spec);
    if (refusal) return this.#output.failed(spec.id, refusal);
    const request = new Request(spec, this.#arrivals++);
    this.#requests.set(spec.id, request);
    if (spec.grammar === undefined) this.#enqueue(request);
    else void this.#compileThenEnqueue(request, spec.grammar);
  }

  /** Ends a request without another word. What it holds is free before the next step begins. */
  abort(id: number): void {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    request.aborted = true;
    if (this.#batched.length > 0 && this.#batched.every((work) => work.request.aborted))
      this.#engine.abortDecode();
    this.#wakeup.signal();
  }

  report(): RankReport {
    return {
      running: this.#running.length,
      waiting: this.#waiting.length,
      compilingGrammars: this.#grammars.size,
      sequencesInUse: this.#sequences - this.#freeSequences.length,
      cellsInUse: this.#engine.cellsInUse,
      samplersOpen: [...this.#running, ...this.#waiting].filter((request) => request.sampler).length,
      preemptions: this.#preemptions,
      steps: this.#steps,
    };
  }

  /** Steps until {@link stop}; sleeps while there is nothing to do. Rejects when the output throws. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#dropAborted();
      this.#admit();
      if (this.#running.length === 0) await this.#wakeup.wait();
      else await this.#runStep();
    }
    this.#dropAborted();
  }

  /** Ends every request with `shutting_down` and makes {@link run} return. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const id of [...this.#requests.keys()]) {
      this.abort(id);
      this.#output.failed(id, failure('shutting_down', undefined));
    }
    this.#wakeup.signal();
    await this.#grammars.settled();
  }

  #whyRefused(spec: RequestSpec): Failure | undefined {
    if (this.#stopped) return failure('shutting_down', undefined);
    if (this.#requests.has(spec.id)) return failure('internal', undefined);
    if (spec.prompt.length === 0) return failure('empty_prompt', undefined);
    const { maxQueuedRequests } = this.#limits;
    // What does not fit into all of the cells would be put back for ever.
    const contextLength = Math.min(this.#limits.contextLength, this.#engine.limits.cells);
    if (spec.prompt.length + spec.sampling.maxTokens > contextLength) {
      return failure('context_length_exceeded', { limit: contextLength, got: spec.prompt.length });
    }
    const queued = this.#waiting.length + this.#grammars.size;
    if (queued >= maxQueuedRequests) return failure('queue_full', { limit: maxQueuedRequests });
    return undefined;
  }

  #enqueue(request: Request): void {
    this.#waiting.push(request);
    this.#wakeup.signal();
  }

  async #compileThenEnqueue(request: Request, gbnf: string): Promise<void> {
    try {
      const grammar = await this.#grammars.compile(gbnf, () => !request.aborted);
      if (request.aborted) return grammar.close();
      request.grammar = grammar;
      this.#enqueue(request);
    } catch (error) {
      if (request.aborted) return;
      this.#requests.delete(request.id);
      this.#output.failed(request.id, toFailure(error));
    }
  }

  #dropAborted(): void {
    for (const request of this.#running.filter((request) => request.aborted)) this.#release(request);
    this.#running = this.#running.filter((request) => !request.aborted);
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const request = this.#waiting[i]!;
      if (!request.aborted) continue;
      this.#waiting.splice(i, 1);
      this.#close(request);
    }
  }

  #admit(): void {
    for (let request = this.#waiting[0]; request; request = this.#waiting[0]) {
      if (!fits(request, this.#running, this.#freeCells)) return;
      const sequence = this.#freeSequences.pop();
      if (sequence === undefined) return;
      this.#waiting.shift();
      request.sequence = sequence;
      // A request that was put back goes on where it was in the order.
      const at = this.#running.findLastIndex((other) => other.arrival < request.arrival);
      this.#running.splice(at + 1, 0, request);
    }
  }

  async #runStep(): Promise<void> {
    const plan = this.#plan();
    if (plan.length === 0) return;
    this.#batched = plan;
    this.#steps++;
    let rows: number[];
    let outcome: DecodeOutcome;
    try {
      rows = this.#fillBatch(plan);
      outcome = await this.#engine.decode();
    } catch (error) {
      for (const { request } of plan) this.#fail(request, toFailure(error));
      return;
    } finally {
      this.#batched = [];
    }
    if (outcome === 'done') this.#sampleAll(plan, rows);
    else if (outcome === 'no-room') this.#makeRoom();
    else this.#resync(plan);
  }

  #plan(): PlannedWork[] {
    const { batchTokens } = this.#engine.limits;
    const plan = () => planStep(this.#running, { ...this.#limits, batchTokens, freeCells: this.#freeCells });
    let work = plan();
    while (work.length === 0 && this.#running.length > 0) {
      this.#putBackYoungest();
      work = plan();
    }
    return work;
  }

  /** The rows of logits, in the order of the plan; -1 where the prompt is not computed to its end. */
  #fillBatch(plan: PlannedWork[]): number[] {
    const { batch } = this.#engine;
    batch.clear();
    return plan.map(({ request, tokens }) => {
      const end = request.computed + tokens;
      let row = -1;
      for (let position = request.computed; position < end; position++) {
        const last = position === request.length - 1;
        row = batch.add(request.token(position), position, request.sequence, last);
      }
      return row;
    });
  }

  #sampleAll(plan: PlannedWork[], rows: number[]): void {
    plan.forEach(({ request, tokens }, i) => {
      request.computed += tokens;
      const row = rows[i]!;
      if (row >= 0 && !request.aborted) this.#sample(request, row);
    });
    this.#step.flush(this.#output);
    this.#running = this.#running.filter((request) => request.sequence >= 0);
  }

  #sample(request: Request, row: number): void {
    try {
      if (!request.sampler) {
        request.sampler = this.#createSampler(request);
        this.#output.started(request.id, 0);
        if (request.aborted) return;
      }
      const token = request.sampler.sample(row);
      if (token < 0) return this.#finish(request, 'stop', undefined);
      const { topLogprobs, sampling } = request.spec;
      const logprobs = topLogprobs === undefined ? null : request.sampler.logprobs(row, token, topLogprobs);
      request.append(token);
      if (this.#endsWith(request, token)) return this.#finish(request, 'stop', { token, logprobs });
      this.#step.add(request.id, token, logprobs);
      if (request.generated >= sampling.maxTokens) this.#finish(request, 'length', undefined);
    } catch (error) {
      this.#fail(request, toFailure(error));
    }
  }

  #createSampler(request: Request): Sampler {
    const { sampling, prompt } = request.spec;
    const sampler = this.#engine.createSampler(sampling, prompt, request.grammar);
    request.grammar = undefined;
    return sampler;
  }

  #endsWith(request: Request, token: number): boolean {
    const { sampling, ignoreEndOfGeneration, grammar } = request.spec;
    const end = this.#engine.isEndOfGeneration(token);
    // After its end a grammar allows nothing but the end again.
    if (end && grammar !== undefined) return true;
    if (request.generated < sampling.minTokens) return false;
    return sampling.stopTokens.includes(token) || (end && !ignoreEndOfGeneration);
  }

  #finish(request: Request, reason: 'stop' | 'length', stop: StopToken | undefined): void {
    this.#requests.delete(request.id);
    this.#release(request);
    this.#step.finish(request.id, reason, stop);
  }

  #fail(request: Request, failure: Failure): void {
    if (request.sequence < 0) return;
    this.#release(request);
    this.#running = this.#running.filter((other) => other !== request);
    if (request.aborted) return;
    this.#requests.delete(request.id);
    this.#output.failed(request.id, failure);
  }

  /** The engine found no room where the count of the cells promised it. A request alone would find none again. */
  #makeRoom(): void {
    const [only, ...others] = this.#running;
    if (!only || others.length > 0) return this.#putBackYoungest();
    this.#fail(
      only,
      failure('engine_failed', { reason: 'there is no room for the request in the KV cells' }),
    );
  }

  /** Out of cells: the request that came last gives its own back and is computed again later. */
  #putBackYoungest(): void {
    const request = this.#running.pop();
    if (!request) return;
    this.#preemptions++;
    this.#freeSequence(request);
    this.#waiting.unshift(request);
  }

  #release(request: Request): void {
    this.#freeSequence(request);
    this.#close(request);
  }

  #freeSequence(request: Request): void {
    this.#engine.truncateSequence(request.sequence, 0);
    this.#freeSequences.push(request.sequence);
    request.sequence = -1;
    request.computed = 0;
  }

  #close(request: Request): void {
    request.sampler?.close();
    request.sampler = undefined;
    request.grammar?.close();
    request.grammar = undefined;
  }

  /** After a stopped batch: what the engine still holds is what is computed. */
  #resync(plan: PlannedWork[]): void {
    for (const { request } of plan) request.computed = this.#engine.sequenceLength(request.sequence);
  }

  get #freeCells(): number {
    return this.#engine.limits.cells - this.#engine.cellsInUse;
  }
}
