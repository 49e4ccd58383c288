import type { Sampler, SamplingParams, TokenLogprobs } from '../engine.ts';
import { argmax, logprobsOf } from '../logprobs.ts';
import { SIMULATED_END } from './prefix-function.ts';

/** Bias, minimum length, temperature and seed; the other parameters belong to libllama's chain. */
export class SimulatedSampler implements Sampler {
  readonly #params: SamplingParams;
  readonly #logits: (row: number) => Float32Array;
  readonly #onClose: () => void;
  #generated = 0;
  #random: number;
  #closed = false;

  constructor(params: SamplingParams, logits: (row: number) => Float32Array, onClose: () => void) {
    this.#params = params;
    this.#logits = logits;
    this.#onClose = onClose;
    this.#random = params.seed | 1;
  }

  sample(row: number): number {
    const { logitBias, minTokens, stopTokens, temperature } = this.#params;
    const logits = this.#logits(row).slice();
    for (const { token, bias } of logitBias) logits[token]! += bias;
    if (this.#generated++ < minTokens) {
      for (const token of [SIMULATED_END, ...stopTokens]) logits[token] = Number.NEGATIVE_INFINITY;
    }
    return temperature > 0 ? this.#draw(logits, temperature) : argmax(logits);
  }

  logprobs(row: number, token: number, top: number): TokenLogprobs {
    return logprobsOf(this.#logits(row), token, top);
  }

  close(): void {
    if (this.#closed) throw new Error('A sampler was closed twice.');
    this.#closed = true;
    this.#onClose();
  }

  #draw(logits: Float32Array, temperature: number): number {
    const max = Math.max(...logits);
    const weights = Array.from(logits, (logit) => Math.exp((logit - max) / temperature));
    let left = this.#nextRandom() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [token, weight] of weights.entries()) {
      left -= weight;
      if (left <= 0) return token;
    }
    return argmax(logits);
  }

  /** Xorshift32 (Marsaglia 2003), as a number from 0 to 1. */
  #nextRandom(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (x >>> 0) / 2 ** 32;
  }
}
