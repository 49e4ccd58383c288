import type { RequestCache } from '../cache/request-cache.ts';
import type { DecodeOutcome, Engine } from '../engine/engine.ts';
import { type Failure, toFailure } from '../shared/errors.ts';
import { fillBatch } from './fill-batch.ts';
import { type PlannedWork, plannedTokens } from './step-plan.ts';

/** Rows of logits are those of {@link fillBatch}. After a failure nothing was computed. */
export type ComputedStep = { rows: number[]; outcome: DecodeOutcome } | { failure: Failure };

/**
 * Computes what a step has planned; others are out of the cells meanwhile where that makes it quicker. Rejects when they
 * are lost by that.
 */
export async function computeStep(
  engine: Engine,
  cache: RequestCache,
  plan: readonly PlannedWork[],
): Promise<ComputedStep> {
  // Answers look at each cell by itself: what others hold costs them less than moving it.
  if (plan.every(({ request }) => !request.decoding))
    cache.swapOut(
      plan.flatMap(({ request }) => request.lease ?? []),
      plannedTokens(plan),
    );
  try {
    const rows = fillBatch(engine.batch, plan);
    return { rows, outcome: await engine.decode() };
  } catch (error) {
    return { failure: toFailure(error) };
  } finally {
    cache.swapIn();
  }
}
