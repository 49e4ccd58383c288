import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { CachedTokens } from '../shared/messages.ts';
import { Wakeup } from '../shared/wakeup.ts';
import type { AnswerPart, AnswerToken, Finish } from '../tokenizer-manager/answer.ts';
import type { Generation } from '../tokenizer-manager/generation.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request's log line says of its tokens. */
    tokenCounts: TokenCounts | undefined;
  }
}

interface TokenCounts {
  promptTokens: number;
  completionTokens: number;
  cached: CachedTokens;
  firstTokenMs: number | undefined;
  ranks: number[];
}

/** A whole answer. */
export interface WholeAnswer {
  text: string;
  tokens: AnswerToken[];
  finish: Finish;
}

/** OpenAI's usage object. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number; cached_tokens_details?: CachedTokensDetails };
}

/** Cached tokens by the tier that they came from. */
export interface CachedTokensDetails extends CachedTokens {
  storage_backend: string | null;
}

export function newId(prefix: string): string {
  return `${prefix}-${randomUUID().replaceAll('-', '')}`;
}

/** Ends the generations when the client goes away before its answer is complete. */
export function abortWhenGone(reply: FastifyReply, generations: readonly Generation[]): void {
  const abort = () => {
    if (reply.raw.writableFinished) return;
    for (const generation of generations) generation.abort();
  };
  // Fastify's request.signal aborts at once on a POST with a body; the response's 'close' does not.
  reply.raw.once('close', abort);
  // It may have gone while its prompt was tokenized.
  if (reply.raw.closed) abort();
}

/** The parts of several answers as they come, each with its answer's index. */
export async function* interleave(
  generations: readonly Generation[],
): AsyncGenerator<{ index: number; part: AnswerPart }> {
  const iterators = generations.flatMap((generation) => generation.answers).map((answer) => answer.parts());
  const [only] = iterators;
  if (only && iterators.length === 1) {
    for await (const part of only) yield { index: 0, part };
    return;
  }
  const arrivals: { index: number; result: Promise<IteratorResult<AnswerPart>> }[] = [];
  const wakeup = new Wakeup();
  // Not Promise.race: every race adds a reaction to every promise that goes on waiting.
  const advance = (index: number) => {
    const result = iterators[index]!.next();
    const arrived = () => {
      arrivals.push({ index, result });
      wakeup.signal();
    };
    result.then(arrived, arrived);
  };
  let open = iterators.length;
  for (let index = 0; index < open; index++) advance(index);
  while (open > 0) {
    const arrival = arrivals.shift();
    if (!arrival) {
      await wakeup.wait();
      continue;
    }
    const { index } = arrival;
    const result = await arrival.result;
    if (result.done) {
      open--;
      continue;
    }
    yield { index, part: result.value };
    advance(index);
  }
}

/** All answers, complete and in order. Throws what any of them failed with, after ending the others. */
export async function collect(
  reply: FastifyReply,
  generations: readonly Generation[],
): Promise<WholeAnswer[]> {
  const count = generations.reduce((sum, generation) => sum + generation.answers.length, 0);
  const whole: WholeAnswer[] = Array.from({ length: count }, () => ({
    text: '',
    tokens: [],
    finish: UNFINISHED,
  }));
  try {
    for await (const { index, part } of interleave(generations)) {
      noteTokens(reply, generations, part);
      const answer = whole[index];
      if (!answer) continue;
      answer.text += part.text;
      answer.tokens.push(...part.tokens);
      if (part.finish) answer.finish = part.finish;
    }
  } catch (error) {
    for (const generation of generations) generation.abort();
    throw error;
  }
  return whole;
}

const NOTHING_CACHED: CachedTokens = { device: 0, host: 0, storage: 0 };

const UNFINISHED: Finish = {
  reason: 'abort',
  matched: undefined,
  completionTokens: 0,
  cached: NOTHING_CACHED,
};

/** Counts a part for the request's log line. */
export function noteTokens(
  { request, elapsedTime }: FastifyReply,
  generations: readonly Generation[],
  part: AnswerPart,
): void {
  request.tokenCounts ??= {
    promptTokens: generations.reduce((sum, generation) => sum + generation.promptTokens, 0),
    completionTokens: 0,
    cached: NOTHING_CACHED,
    firstTokenMs: undefined,
    ranks: [...new Set(generations.flatMap((generation) => generation.ranks))],
  };
  const counts = request.tokenCounts;
  if (part.tokens.length > 0) counts.firstTokenMs ??= Math.round(elapsedTime);
  if (!part.finish) return;
  counts.completionTokens += part.finish.completionTokens;
  counts.cached = addCached(counts.cached, part.finish.cached);
}

/** What the cached tokens of an answer are reported as. */
export class CacheReporter {
  readonly #details: boolean;
  readonly #backend: () => string | null;

  /**
   * @param details whether each tier is named
   * @param backend the storage backend that is attached
   */
  constructor(details: boolean, backend: () => string | null) {
    this.#details = details;
    this.#backend = backend;
  }

  /** SGLang's `cached_tokens_details`; undefined when it is not asked for. */
  details(cached: CachedTokens): CachedTokensDetails | undefined {
    return this.#details ? { ...cached, storage_backend: this.#backend() } : undefined;
  }

  /**
   * Every prompt counts once, however many answers it has: what was cached of it is what its first answer found.
   *
   * @param finishes of all answers, in order
   */
  usage(generations: readonly Generation[], finishes: readonly Finish[]): Usage {
    const promptTokens = generations.reduce((sum, generation) => sum + generation.promptTokens, 0);
    const completion = finishes.reduce((sum, finish) => sum + finish.completionTokens, 0);
    let cached = NOTHING_CACHED;
    let first = 0;
    for (const { answers } of generations) {
      cached = addCached(cached, finishes[first]?.cached ?? NOTHING_CACHED);
      first += answers.length;
    }
    const details = this.details(cached);
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completion,
      total_tokens: promptTokens + completion,
      prompt_tokens_details: {
        cached_tokens: totalCached(cached),
        ...(details ? { cached_tokens_details: details } : {}),
      },
    };
  }
}

export function totalCached({ device, host, storage }: CachedTokens): number {
  return device + host + storage;
}

function addCached(a: CachedTokens, b: CachedTokens): CachedTokens {
  return { device: a.device + b.device, host: a.host + b.host, storage: a.storage + b.storage };
}
