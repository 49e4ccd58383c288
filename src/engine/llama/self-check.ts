import { failure } from '../../shared/errors.ts';
import type { Engine, PageAccess } from '../engine.ts';
import { GREEDY } from '../greedy.ts';
import type { Llama } from './functions.ts';
import { type KvShape, PageLayout, readShape } from './page-layout.ts';
import { LlamaPages, type PageHost } from './pages.ts';

const MOST_TOKENS = 8;
/** How many of the likeliest tokens are compared. */
const COMPARED = 5;
/** Between two decodes of the same KV; zero on a CPU, but not every GPU adds in the same order each time. */
const TOLERANCE = 1e-3;

/**
 * Finds out what the KV of this model looks like, and sends a few tokens' KV the way that every page goes: saved,
 * restored into another sequence, shared, saved again, decoded. Bytes and logits must be the same; a library that
 * answers anything else would give wrong tokens later. Leaves the engine empty.
 *
 * @returns undefined where the KV is something else than rows of cells
 * @throws `library_mismatch`
 */
export async function checkPages(
  host: PageHost & { readonly llama: Llama },
  engine: Engine,
  variant: string,
): Promise<KvShape | undefined> {
  const { batchTokens, cells } = engine.limits;
  const most = Math.min(MOST_TOKENS, batchTokens, cells - 1);
  // Two pages where there is room: the second does not begin at position 0.
  const count = Math.max(1, most - (most % 2));
  try {
    await compute(engine, 0, count);
    const shape = readShape(saveState(host), count);
    if (shape) {
      const tokens = Math.max(1, count >> 1);
      await checkRoundTrip(engine, new LlamaPages(host, new PageLayout(shape, tokens, variant)), count);
    }
    engine.batch.clear();
    engine.truncateSequence(0, 0);
    return shape;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw failure('library_mismatch', { reason }, { cause });
  }
}

/** Sequence 0 holds `count` positions. */
async function checkRoundTrip(engine: Engine, pages: PageAccess, count: number): Promise<void> {
  const makePages = () => {
    return Array.from({ length: count / pages.tokens }, () => new Uint8Array(pages.bytes));
  };
  const saved = makePages();
  pages.save(0, 0, saved);
  const expected = await logprobsAfter(engine, count);
  engine.truncateSequence(0, 0);

  const other = engine.limits.sequences - 1;
  const outcome = pages.restore(other, 0, saved);
  if (outcome !== 'done') throw new Error(`saved pages were not taken back: ${outcome}`);
  if (other > 0) {
    engine.sharePrefix(other, 0, count);
    engine.truncateSequence(other, 0);
  }
  const again = makePages();
  pages.save(0, 0, again);
  if (again.some((page, i) => Buffer.compare(page, saved[i]!) !== 0))
    throw new Error('pages changed by saving and restoring them');
  const got = await logprobsAfter(engine, count);
  if (got.some((logprob, i) => !(Math.abs(logprob - expected[i]!) <= TOLERANCE)))
    throw new Error('restored pages give other logits than computed ones');
}

/** The probabilities after one more token. */
async function logprobsAfter(engine: Engine, position: number): Promise<number[]> {
  await compute(engine, position, position + 1);
  const sampler = engine.createSampler(GREEDY, new Int32Array(0));
  const { logprob, top } = sampler.logprobs(0, 0, COMPARED);
  sampler.close();
  return [logprob, ...top.map((other) => other.logprob)];
}

/** Computes some tokens at the end of sequence 0; the last one's logits are row 0. */
async function compute(engine: Engine, from: number, to: number): Promise<void> {
  engine.batch.clear();
  for (let position = from; position < to; position++) {
    engine.batch.add(position % engine.model.vocabularySize, position, 0, position === to - 1);
  }
  if ((await engine.decode()) !== 'done') throw new Error('a first batch was not computed');
}

function saveState({ llama, context }: PageHost & { readonly llama: Llama }): Uint8Array {
  const state = new Uint8Array(llama.llama_state_seq_get_size(context, 0));
  const written = llama.llama_state_seq_get_data(context, state, state.length, 0);
  return state.subarray(0, written);
}
