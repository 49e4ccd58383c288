import type { Request } from './request.ts';

/** Tokens of answer that a running request is expected to need soon: below it, admitting leads to putting back. */
const EXPECTED_GROWTH = 64;

/**
 * Whether a waiting request's KV fits beside what is running: its prompt, what the running ones have left to
 * compute, and some growth for everybody. Changes nothing.
 */
export function fits(request: Request, running: Iterable<Request>, freeCells: number): boolean {
  let needed = request.length + growth(request);
  let alone = true;
  for (const other of running) {
    alone = false;
    needed += other.uncomputed + growth(other);
  }
  return alone || needed <= freeCells;
}

function growth(request: Request): number {
  return Math.min(EXPECTED_GROWTH, request.spec.sampling.maxTokens - request.generated);
}
