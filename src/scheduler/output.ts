import type { TokenLogprobs } from '../engine/engine.ts';
import type { Failure } from '../shared/errors.ts';
import type { CachedTokens } from '../shared/messages.ts';

/** Where a scheduler's results go. Calls come in order; a request ends with exactly one `finished` or `failed`. */
export interface SchedulerOutput {
  /** Comes before a request's first token; those tokens of its prompt were cached and not computed. */
  started(id: number, cached: Readonly<CachedTokens>): void;
  /** The tokens of one step, one per request named. The arrays are the receiver's. */
  tokens(ids: Int32Array, tokens: Int32Array, logprobs: (TokenLogprobs | null)[] | undefined): void;
  /** `stop` is the token that ended the answer; it did not come through {@link tokens}. */
  finished(id: number, reason: 'stop' | 'length', stop: StopToken | undefined): void;
  failed(id: number, failure: Failure): void;
}

export interface StopToken {
  token: number;
  logprobs: TokenLogprobs | null;
}
