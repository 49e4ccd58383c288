import type { Request } from './request.ts';

/** How many of a request's tokens the next step computes. */
export interface PlannedWork {
  readonly request: Request;
  readonly tokens: number;
}

export function plannedTokens(plan: readonly PlannedWork[]): number {
  return plan.reduce((sum, { tokens }) => sum + tokens, 0);
}

export interface StepBudget {
  /** Tokens in one batch. */
  batchTokens: number;
  /** Prompt tokens beside decodes. */
  chunkedPrefillSize: number;
  /** Prompt tokens when nothing decodes. */
  maxPrefillTokens: number;
  /** Whether a step may compute prompts and answers in one batch; where not, they take turns. */
  mixedChunk: boolean;
  /** Whether it is the turn of the answers. */
  answersNext: boolean;
  /** KV cells that are free now. */
  freeCells: number;
}

/** What a chunk would leave of the only prompt comes with it, up to this share of the chunk: a step for it costs more. */
const REMAINDER_SHARE = 1 / 8;

/**
 * Chooses what one step computes: one token for every decoding request, then prompt chunks, or one of both. Changes
 * nothing.
 *
 * Half of the prompt budget goes to the request that came first, half to the one with the least left to compute.
 * So a long prompt always advances, a short one behind it does not wait for all of it, and equal prompts are
 * served in order of arrival.
 *
 * @param running in order of arrival
 * @returns an empty plan when the cells do not suffice for the decodes: something must be put back first
 */
export function planStep(running: Iterable<Request>, budget: StepBudget): PlannedWork[] {
  const decodes: PlannedWork[] = [];
  const prefills: Request[] = [];
  for (const request of running) {
    if (request.decoding) decodes.push({ request, tokens: 1 });
    else prefills.push(request);
  }
  if (decodes.length > budget.freeCells) return [];
  const chunk = decodes.length > 0 ? budget.chunkedPrefillSize : budget.maxPrefillTokens;
  const most = Math.min(budget.batchTokens, budget.freeCells) - decodes.length;
  const promptBudget = Math.min(stretched(chunk, prefills), most);
  const takesTurns = !budget.mixedChunk && decodes.length > 0;
  if (takesTurns && budget.answersNext) return decodes;
  const prompts = sharePrefill(prefills, promptBudget);
  return takesTurns && prompts.length > 0 ? prompts : [...decodes, ...prompts];
}

function stretched(chunk: number, [only, ...others]: Request[]): number {
  if (!only || others.length > 0 || only.uncomputed > chunk * (1 + REMAINDER_SHARE)) return chunk;
  return Math.max(chunk, only.uncomputed);
}

function sharePrefill(prefills: Request[], budget: number): PlannedWork[] {
  const [oldest] = prefills;
  if (!oldest || budget <= 0) return [];
  const planned = new Map<Request, number>();
  let left = budget;
  const give = (request: Request, limit: number) => {
    const already = planned.get(request) ?? 0;
    const tokens = Math.min(limit, left, request.uncomputed - already);
    if (tokens <= 0) return;
    planned.set(request, already + tokens);
    left -= tokens;
  };
  give(oldest, Math.ceil(budget / 2));
  for (const request of prefills.toSorted((a, b) => a.uncomputed - b.uncomputed)) give(request, left);
  return [...planned].map(([request, tokens]) => ({ request, tokens }));
}
