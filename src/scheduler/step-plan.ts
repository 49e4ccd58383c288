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
/** A CPU computes attention for so many tokens of a prompt at a time: what stands over costs as much as all of them. */
const TILE = 64;
/**
 * So many tokens are computed sooner each by itself, as answers are. Measured at a depth of 1,024: 257 tokens take 754 ms
 * and 256 of them 684, one by itself 11, or 3 beside answers; 264 take 760, eight by themselves 41.
 */
const FEW = 8;

/** Whether what a request lacks is computed in steps of the answers. */
export function goesWithAnswers(request: Request, { mixedChunk }: Pick<StepBudget, 'mixedChunk'>): boolean {
  return request.decoding || (!mixedChunk && request.uncomputed <= FEW);
}

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
  const ends: Request[] = [];
  const prefills: Request[] = [];
  for (const request of running) {
    if (request.decoding) decodes.push({ request, tokens: 1 });
    else if (goesWithAnswers(request, budget)) ends.push(request);
    else prefills.push(request);
  }
  if (decodes.length > budget.freeCells) return [];
  const most = Math.min(budget.batchTokens, budget.freeCells);
  const answers = [...decodes, ...inOrder(ends, most - decodes.length)];
  if (!budget.mixedChunk && budget.answersNext && answers.length > 0) return answers;
  const chunk = answers.length > 0 ? budget.chunkedPrefillSize : budget.maxPrefillTokens;
  const prompts = sharePrefill(prefills, Math.min(stretched(chunk, prefills), most - decodes.length));
  if (budget.mixedChunk) return [...decodes, ...prompts];
  return prompts.length > 0 ? wholeTiles(prompts) : answers;
}

function stretched(chunk: number, [only, ...others]: Request[]): number {
  if (!only || others.length > 0 || only.uncomputed > chunk * (1 + REMAINDER_SHARE)) return chunk;
  return Math.max(chunk, only.uncomputed);
}

/** What each request lacks, as long as there is room. */
function inOrder(requests: readonly Request[], room: number): PlannedWork[] {
  let left = room;
  return requests.flatMap((request) => {
    const tokens = Math.min(request.uncomputed, left);
    left -= tokens;
    return tokens > 0 ? { request, tokens } : [];
  });
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

/** Leaves a few tokens that stand over the tiles of a step to the next one; of who goes on then anyway, if there is one. */
function wholeTiles(plan: PlannedWork[]): PlannedWork[] {
  const all = plannedTokens(plan);
  const over = all % TILE;
  if (all < TILE || over === 0 || over > FEW) return plan;
  const long = plan.filter((work) => work.tokens > over);
  const shortened = long.find(({ request, tokens }) => tokens < request.uncomputed) ?? long.at(-1);
  return plan.map((work) => (work === shortened ? { ...work, tokens: work.tokens - over } : work));
}
