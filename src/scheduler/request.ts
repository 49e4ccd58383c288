import type { Grammar, Sampler, SamplingParams } from '../engine/engine.ts';

/** What a client asked for, in tokens. */
export interface RequestSpec {
  readonly id: number;
  readonly prompt: Int32Array;
  readonly sampling: SamplingParams;
  readonly ignoreEndOfGeneration: boolean;
  readonly grammar?: string | undefined;
  readonly topLogprobs?: number | undefined;
}

/** One request on its way through the scheduler. Its fields change only there. */
export class Request {
  readonly spec: RequestSpec;
  readonly #answer: number[] = [];
  /** Tokens of this request whose KV the sequence holds. */
  computed = 0;
  /** The sequence id while it runs, -1 while it waits. */
  sequence = -1;
  /** Set when the request may run: a grammar, if it has one, is in it. Survives being put back. */
  sampler: Sampler | undefined;
  /** Compiled, but not yet given to a sampler. */
  grammar: Grammar | undefined;
  aborted = false;
  /** Order of arrival; the youngest has the largest. */
  readonly arrival: number;

  constructor(spec: RequestSpec, arrival: number) {
    this.spec = spec;
    this.arrival = arrival;
  }

  get id(): number {
    return this.spec.id;
  }

  /** Prompt and answer so far. */
  get length(): number {
    return this.spec.prompt.length + this.#answer.length;
  }

  get generated(): number {
    return this.#answer.length;
  }

  /** Tokens that must be computed before the next one can be sampled. */
  get uncomputed(): number {
    return this.length - this.computed;
  }

  /** Only the token sampled last is missing from the sequence. */
  get decoding(): boolean {
    return this.generated > 0 && this.uncomputed === 1;
  }

  token(index: number): number {
    const { prompt } = this.spec;
    return index < prompt.length ? prompt[index]! : this.#answer[index - prompt.length]!;
  }

  append(token: number): void {
    this.#answer.push(token);
  }
}
