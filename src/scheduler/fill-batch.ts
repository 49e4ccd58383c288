import type { Batch } from '../engine/engine.ts';
import type { PlannedWork } from './step-plan.ts';

/**
 * Puts what a step computes into the batch, in place of what was there.
 *
 * @returns rows of logits, in the order of the plan; -1 where a prompt is not computed to its end
 */
export function fillBatch(batch: Batch, plan: readonly PlannedWork[]): number[] {
  batch.clear();
  return plan.map(({ request, tokens }) => {
    const end = request.computed + tokens;
    let row = -1;
    for (let position = request.computed; position < end; position++) {
      const last = position === request.length - 1;
      row = batch.add(request.prefix.token(position), position, request.sequence, last);
    }
    return row;
  });
}
