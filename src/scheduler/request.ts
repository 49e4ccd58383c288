import type { Lease } from '../cache/lease.ts';
import { Prefix } from '../cache/prefix.ts';
import { ADMIT_AT_ONCE, type Arrival } from '../cache/request-cache.ts';
import type { Grammar, Sampler, SamplingParams } from '../engine/engine.ts';
import type { CachedTokens } from '../shared/messages.ts';
import type { Wait } from './admission.ts';

/** What a client asked for, in tokens. */
export interface RequestSpec {
  readonly id: number;
  readonly prompt: Int32Array;
  readonly sampling: SamplingParams;
  readonly ignoreEndOfGeneration: boolean;
  readonly grammar?: string | undefined;
  readonly topLogprobs?: number | undefined;
  /** What the keys of its pages are chained to: equal tokens behind another seed are another prefix. */
  readonly prefixSeed?: string | undefined;
  /** What it computes stays longer in caches that evict by priority. */
  readonly priority?: number | undefined;
}

/** One request on its way through the scheduler. Its fields change only there. */
export class Request {
  readonly spec: RequestSpec;
  /** Prompt and answer so far. */
  readonly prefix: Prefix;
  /** Tokens of this request whose KV the sequence holds. */
  computed = 0;
  /** What it waits for besides its turn. */
  arrival: Arrival = ADMIT_AT_ONCE;
  /** Who computes what it needs, too. */
  wait: Wait | undefined;
  /** Its hold on the cache while it runs. */
  lease: Lease | undefined;
  /** What it did not have to compute, counted when it first ran. */
  cached: Readonly<CachedTokens> | undefined;
  /** Set when the request may run: a grammar, if it has one, is in it. Survives being put back. */
  sampler: Sampler | undefined;
  /** Compiled, but not yet given to a sampler. */
  grammar: Grammar | undefined;
  aborted = false;
  /** It has its answer, or its failure. */
  ended = false;
  /** Order of arrival; the youngest has the largest. */
  readonly arrivalNumber: number;

  constructor(spec: RequestSpec, arrivalNumber: number, pageSize: number) {
    this.spec = spec;
    this.arrivalNumber = arrivalNumber;
    this.prefix = new Prefix(spec.prompt, spec.prefixSeed ?? '', pageSize);
  }

  get id(): number {
    return this.spec.id;
  }

  get priority(): number {
    return this.spec.priority ?? 0;
  }

  /** Prompt and answer so far. */
  get length(): number {
    return this.prefix.length;
  }

  get generated(): number {
    return this.prefix.length - this.spec.prompt.length;
  }

  /** Tokens that must be computed before the next one can be sampled. */
  get uncomputed(): number {
    return this.length - this.computed;
  }

  /** Only the token sampled last is missing from the sequence. */
  get decoding(): boolean {
    return this.generated > 0 && this.uncomputed === 1;
  }

  /** The sequence that it computes in; -1 while it waits. */
  get sequence(): number {
    return this.lease?.sequence ?? -1;
  }
}
