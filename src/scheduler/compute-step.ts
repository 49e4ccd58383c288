import type { RequestCache } from '../cache/request-cache.ts';
import type { DecodeOutcome, Engine } from '../engine/engine.ts';
import { fillBatch } from './fill-batch.ts';
import { type PlannedWork, plannedTokens } from './step-plan.ts';

/**
 * Computes what a step has planned; others are out of the cells meanwhile where that makes it quicker.
 *
 * @returns rows of logits as of {@link fillBatch}
 */
export async function computeStep(
  engine: Engine,
  cache: RequestCache,
  plan: readonly PlannedWork[],
): Promise<{ rows: number[]; outcome: DecodeOutcome }> {
  // Answers look at each cell by itself: what others hold costs them less than moving it.
  if (plan.every(({ request }) => !request.decoding))
    cache.swapOut(
      plan.flatMap(({ request }) => request.lease ?? []),
      plannedTokens(plan),
    );
  try {
    const rows = fillBatch(engine.batch, plan);
    return { rows, outcome: await engine.decode() };
  } finally {
    cache.swapIn();
  }
}
