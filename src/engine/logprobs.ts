import type { TokenLogprobs } from './engine.ts';

/** What OpenAI's API reports for a token that is all but impossible; JSON has no infinity. */
const FLOOR = -9999;

/** Log-softmax of one row of logits, at `token` and at the `top` largest. O(vocabulary × log top). */
export function logprobsOf(logits: Float32Array, token: number, top: number): TokenLogprobs {
  let max = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const norm = max + Math.log(sum);
  const at = (id: number) => {
    const logprob = logits[id]! - norm;
    return Number.isFinite(logprob) ? logprob : FLOOR;
  };
  return { logprob: at(token), top: likeliest(logits, top).map((id) => ({ token: id, logprob: at(id) })) };
}

/** The index of the largest logit; the first one of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!;
    if (logit > max) {
      max = logit;
      best = i;
    }
  }
  return best;
}

function likeliest(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < logits.length && count > 0; i++) {
    const logit = logits[i]!;
    if (best.length === count && !(logit > logits[best[count - 1]!]!)) continue;
    let at = best.length;
    while (at > 0 && logit > logits[best[at - 1]!]!) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
