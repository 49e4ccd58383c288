import { type Failure, failure } from '../shared/errors.ts';
import type { SchedulerLimits } from '../shared/messages.ts';
import type { Request, RequestSpec } from './request.ts';

/** Tokens of answer that a running request is expected to need soon: below it, admitting leads to putting back. */
const EXPECTED_GROWTH = 64;

/**
 * Whether a waiting request's KV fits beside what is running: what it does not share, what the running ones have left
 * to compute, and some growth for everybody. Changes nothing.
 *
 * @param missingCells cells that the request needs besides those it shares
 * @param availableCells cells that are free or can be
 */
export function fits(
  request: Request,
  missingCells: number,
  running: Iterable<Request>,
  availableCells: number,
): boolean {
  let needed = missingCells + growth(request);
  let alone = true;
  for (const other of running) {
    alone = false;
    needed += other.uncomputed + growth(other);
  }
  return alone || needed <= availableCells;
}

function growth(request: Request): number {
  return Math.min(EXPECTED_GROWTH, request.spec.sampling.maxTokens - request.generated);
}

/** Why a request that arrives is not taken; undefined when it is. */
export function whyRefused(
  { prompt, sampling }: RequestSpec,
  queued: number,
  { contextLength, maxQueuedRequests }: Pick<SchedulerLimits, 'contextLength' | 'maxQueuedRequests'>,
): Failure | undefined {
  if (prompt.length === 0) return failure('empty_prompt', undefined);
  if (prompt.length + sampling.maxTokens > contextLength)
    return failure('context_length_exceeded', { limit: contextLength, got: prompt.length });
  if (queued >= maxQueuedRequests) return failure('queue_full', { limit: maxQueuedRequests });
  return undefined;
}

/** What a waiting request leaves to a running one: to have computed that many tokens. */
export interface Wait {
  readonly other: Request;
  readonly until: number;
}

/**
 * The running request that is about to compute so much of what a waiting one needs that it should wait for that: what
 * several need is computed once. Changes nothing.
 *
 * @param cachedTokens what the waiting one need not compute even now
 */
export function whoComputes(
  request: Request,
  cachedTokens: number,
  running: Iterable<Request>,
): Wait | undefined {
  const { prefix, length } = request;
  for (const other of running) {
    if (other.decoding || other.aborted) continue;
    const common = Math.min(prefix.commonTokens(other.prefix), length - 1);
    if (common <= other.computed) continue;
    const gain = common - cachedTokens;
    if (gain >= prefix.pageSize || 2 * gain >= length - cachedTokens) return { other, until: common };
  }
  return undefined;
}

export function isOver({ other, until }: Wait): boolean {
  return !other.lease || other.aborted || other.computed >= until;
}
