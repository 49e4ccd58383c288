import type { RequestCache } from '../cache/request-cache.ts';
import type { Engine, Sampler } from '../engine/engine.ts';
import type { Clock } from '../shared/clock.ts';
import { type Failure, failure, toFailure } from '../shared/errors.ts';
import type { CachedTokens, RankReport, SchedulerLimits } from '../shared/messages.ts';
import type { Wakeup } from '../shared/wakeup.ts';
import { fits, isOver, whoComputes, whyRefused } from './admission.ts';
import { AdmissionGate } from './admission-gate.ts';
import { computeStep } from './compute-step.ts';
import { GrammarQueue } from './grammar-queue.ts';
import type { SchedulerOutput, StopToken } from './output.ts';
import { Request, type RequestSpec } from './request.ts';
import { StepOutput } from './step-output.ts';
import { goesWithAnswers, type PlannedWork, plannedTokens, planStep } from './step-plan.ts';

const NOTHING_CACHED: CachedTokens = { device: 0, host: 0, storage: 0 };

/**
 * Serves the requests of one rank with one engine: continuous batching with chunked prefill. Everything happens
 * on one thread; while a batch is computed, {@link submit} and {@link abort} only take note.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #cache: RequestCache;
  readonly #clock: Clock;
  readonly #limits: SchedulerLimits;
  readonly #output: SchedulerOutput;
  readonly #wakeup: Wakeup;
  readonly #grammars: GrammarQueue;
  readonly #step: StepOutput;
  readonly #gate: AdmissionGate;
  /** Every request that has not ended, by id. */
  readonly #requests = new Map<number, Request>();
  #waiting: Request[] = [];
  /** In order of arrival. */
  #running: Request[] = [];
  #batched: PlannedWork[] = [];
  #arrivals = 0;
  #steps = 0;
  #preemptions = 0;
  #answersNext = false;
  #stopped = false;

  /** @param wakeup signalled also by whoever finishes something that a request waits for */
  constructor(
    engine: Engine,
    cache: RequestCache,
    limits: SchedulerLimits,
    output: SchedulerOutput,
    clock: Clock,
    wakeup: Wakeup,
  ) {
    this.#engine = engine;
    this.#cache = cache;
    this.#limits = limits;
    this.#output = output;
    this.#clock = clock;
    this.#wakeup = wakeup;
    this.#grammars = new GrammarQueue(engine, clock);
    this.#step = new StepOutput(limits.maxRunningRequests);
    this.#gate = new AdmissionGate((request) => cache.expect(request.prefix));
  }

  /** Takes a request over. It is answered through the output, also when it is refused. */
  submit(spec: RequestSpec): void {
    const refusal = this.#whyRefused(spec);
    if (refusal) return this.#output.failed(spec.id, refusal);
    const request = new Request(spec, this.#arrivals++, this.#cache.pageSize);
    this.#requests.set(spec.id, request);
    request.arrival = this.#gate.arrive(request);
    if (spec.grammar === undefined) this.#enqueue(request);
    else void this.#compileThenEnqueue(request, spec.grammar);
  }

  /** Ends a request without another word. What it holds is free before the next step begins. */
  abort(id: number): void {
    const request = this.#requests.get(id);
    if (!request) return;
    this.#requests.delete(id);
    request.aborted = true;
    request.arrival.leave();
    if (this.#batched.length > 0 && this.#batched.every((work) => work.request.aborted))
      this.#engine.abortDecode();
    this.#wakeup.signal();
  }

  report(): RankReport {
    const cache = this.#cache.report();
    return {
      running: this.#running.length,
      waiting: this.#waiting.length,
      compilingGrammars: this.#grammars.size,
      samplersOpen: [...this.#running, ...this.#waiting].filter((request) => request.sampler).length,
      preemptions: this.#preemptions,
      steps: this.#steps,
      cache,
    };
  }

  /** Drops everything that L1 and L2 hold; false when something runs, waits, or is being moved. */
  flush(): boolean {
    if (this.#requests.size > 0 || this.#running.length > 0 || !this.#cache.idle) return false;
    this.#cache.flush();
    return true;
  }

  /** Admits nothing more until {@link resume}, and resolves when nothing runs or is moved, or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#gate.close();
    this.#wakeup.signal();
    await this.#gate.idle(signal);
  }

  /** Admits again what waits. */
  resume(): void {
    if (!this.#gate.closed) return;
    this.#gate.open();
    this.#wakeup.signal();
  }

  /** Steps until {@link stop}; sleeps while there is nothing to do. Rejects when the output throws, or sequences are lost. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#cache.takeIn();
      this.#dropAborted();
      if (!this.#gate.closed) this.#admit();
      if (this.#running.length === 0 && this.#cache.idle) this.#gate.noteIdle();
      if (this.#running.length === 0) await this.#sleep();
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

  async #sleep(): Promise<void> {
    this.#cache.rest(true);
    await this.#wakeup.wait();
    this.#cache.rest(false);
  }

  #whyRefused(spec: RequestSpec): Failure | undefined {
    if (this.#stopped) return failure('shutting_down', undefined);
    if (this.#requests.has(spec.id)) return failure('internal', undefined);
    const { maxQueuedRequests } = this.#limits;
    // What does not fit into all of the cells would be put back for ever.
    const contextLength = Math.min(this.#limits.contextLength, this.#engine.limits.cells);
    const queued = this.#waiting.length + this.#grammars.size;
    return whyRefused(spec, queued, { contextLength, maxQueuedRequests });
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
      request.arrival.leave();
      this.#requests.delete(request.id);
      this.#output.failed(request.id, toFailure(error));
    }
  }

  #dropAborted(): void {
    if (![...this.#running, ...this.#waiting].some((request) => request.aborted)) return;
    for (const request of this.#running) if (request.aborted) this.#release(request);
    for (const request of this.#waiting) if (request.aborted) this.#close(request);
    this.#running = this.#running.filter((request) => !request.aborted);
    this.#waiting = this.#waiting.filter((request) => !request.aborted);
  }

  /** In order of arrival, but who waits for its prefix keeps nobody behind it from running. */
  #admit(): void {
    for (const request of [...this.#waiting]) {
      if (this.#running.length >= this.#limits.maxRunningRequests) return;
      if (!request.arrival.ready() || this.#leavesToOther(request)) continue;
      if (!this.#start(request)) {
        if (request.arrival.ready()) return;
        continue;
      }
      this.#waiting = this.#waiting.filter((other) => other !== request);
      // A request that was put back goes on where it was in the order.
      const at = this.#running.findLastIndex((other) => other.arrivalNumber < request.arrivalNumber);
      this.#running.splice(at + 1, 0, request);
    }
  }

  #leavesToOther(request: Request): boolean {
    if (request.wait && !isOver(request.wait)) return true;
    request.wait = undefined;
    if (this.#running.length === 0) return false;
    request.wait = whoComputes(request, this.#cache.cachedTokens(request.prefix), this.#running);
    return request.wait !== undefined;
  }

  /** Gives a request its sequence, with everything that is cached of its prefix; false when it has to wait. */
  #start(request: Request): boolean {
    const lease = this.#cache.reserve(request.prefix, request.priority);
    const missing = this.#cache.missingCells(lease);
    if (
      !fits(request, missing, this.#running, this.#cache.availableCells) ||
      request.arrival.asksAgain() ||
      !this.#cache.fill(lease, request.arrival)
    ) {
      this.#cache.cancel(lease);
      return false;
    }
    request.arrival.leave();
    request.lease = lease;
    request.cached ??= lease.cached;
    const { device, host, storage } = lease.cached;
    request.computed = device + host + storage;
    return true;
  }

  async #runStep(): Promise<void> {
    const plan = this.#plan();
    if (plan.length === 0) return;
    this.#batched = plan;
    this.#steps++;
    const onlyPrompts = !plan.some(({ request }) => goesWithAnswers(request, this.#limits));
    const began = this.#clock.now();
    const step = await computeStep(this.#engine, this.#cache, plan);
    this.#batched = [];
    if ('failure' in step) {
      for (const { request } of plan) this.#fail(request, step.failure);
      this.#releaseEnded();
      return;
    }
    const { rows, outcome } = step;
    if (outcome === 'no-room') return this.#makeRoom();
    if (outcome === 'aborted') return this.#resync(plan);
    this.#answersNext = onlyPrompts;
    // Steps with one token of somebody tell nothing of how quickly prompts are computed.
    if (onlyPrompts && plan.every((work) => work.tokens > 1))
      this.#cache.computed(plannedTokens(plan), this.#clock.now() - began);
    this.#sampleAll(plan, rows);
  }

  #plan(): PlannedWork[] {
    const { batchTokens } = this.#engine.limits;
    while (this.#running.length > 0) {
      const freeCells = this.#cache.availableCells;
      const work = planStep(this.#running, {
        ...this.#limits,
        batchTokens,
        freeCells,
        answersNext: this.#answersNext,
      });
      const needed = plannedTokens(work);
      if (needed > 0 && this.#cache.makeRoom(needed)) return work;
      // What is kept for requests that wait is not counted, and must not stop those that run.
      if (needed === 0 && this.#cache.makeRoom(freeCells + 1)) continue;
      // Cells that a request shares with what is cached are not freed by evicting that: there were fewer than counted.
      if (this.#cache.availableCells < freeCells) continue;
      this.#putBackYoungest();
    }
    return [];
  }

  #sampleAll(plan: PlannedWork[], rows: number[]): void {
    plan.forEach(({ request, tokens }, i) => {
      request.computed += tokens;
      const row = rows[i]!;
      if (row >= 0 && !request.aborted) this.#sample(request, row);
    });
    this.#step.flush(this.#output);
    // What is kept is copied after the tokens are on their way.
    plan.forEach(({ request }, i) => {
      if (!request.lease || request.ended || request.aborted) return;
      const promptEnds = rows[i]! >= 0 && request.generated <= 1;
      this.#cache.publish(request.lease, request.computed, promptEnds ? 'tokens' : 'pages');
    });
    this.#releaseEnded();
  }

  #sample(request: Request, row: number): void {
    try {
      if (!request.sampler) {
        request.sampler = this.#createSampler(request);
        this.#output.started(request.id, request.cached ?? NOTHING_CACHED);
        if (request.aborted) return;
      }
      const token = request.sampler.sample(row);
      if (token < 0) return this.#finish(request, 'stop', undefined);
      const { topLogprobs, sampling } = request.spec;
      const logprobs = topLogprobs === undefined ? null : request.sampler.logprobs(row, token, topLogprobs);
      request.prefix.append(token);
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
    request.ended = true;
    this.#step.finish(request.id, reason, stop);
  }

  #fail(request: Request, failure: Failure): void {
    if (request.ended) return;
    request.ended = true;
    if (request.aborted) return;
    this.#requests.delete(request.id);
    this.#output.failed(request.id, failure);
  }

  #releaseEnded(): void {
    if (!this.#running.some((request) => request.ended)) return;
    for (const request of this.#running) if (request.ended) this.#release(request);
    this.#running = this.#running.filter((request) => !request.ended);
  }

  /** The engine found no room where the count of the cells promised it. A request alone would find none again. */
  #makeRoom(): void {
    const [only, ...others] = this.#running;
    if (!only || others.length > 0) return this.#putBackYoungest();
    this.#fail(
      only,
      failure('engine_failed', { reason: 'there is no room for the request in the KV cells' }),
    );
    this.#releaseEnded();
  }

  /** Out of cells: the request that came last gives its own back, and goes on later with what the cache kept. */
  #putBackYoungest(): void {
    const request = this.#running.pop();
    if (!request) return;
    this.#preemptions++;
    this.#closeLease(request);
    this.#waiting.unshift(request);
  }

  #release(request: Request): void {
    this.#closeLease(request);
    this.#close(request);
  }

  #closeLease(request: Request): void {
    if (request.lease) this.#cache.close(request.lease, request.computed);
    request.lease = undefined;
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
}
