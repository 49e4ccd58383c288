import { expect } from 'vitest';
import { words } from './cache-server.ts';
import { expectSameAnswer, type GreedyAnswer, greedyTokens, startServer, type TestServer } from './server.ts';
import { WITH_ADMIN_KEY } from './storage-api.ts';

const STREAMS = 16;
const ANSWER = 24;
/** Small tiers, so that pages come from the storage and go there all the time. */
const FLAGS = [
  ...['--max-total-tokens', '2048', '--page-size', '16', '--hicache-size', '0.0015'],
  // Small steps make computing slower than reading, or nothing would be read.
  ...['--chunked-prefill-size', '16', '--max-prefill-tokens', '16'],
  ...['--max-running-requests', String(STREAMS), '--context-length', '1024', ...WITH_ADMIN_KEY],
];
const PROMPTS = Array.from({ length: 48 }, (_, i) => `${words(60, i % 12)} ${words(30, 100 + i)}`);

/** From so many tokens a prompt of this load is worth a look into the storage. */
export const PREFETCH_THRESHOLD = 16;

/** A server that needs its storage all the time. The caller ends it. */
export function startLoadedServer(...flags: string[]): Promise<TestServer> {
  return startServer([...FLAGS, ...flags]);
}

/** The right answers to the prompts of a {@link Load}: those of a server without a cache. */
export async function rightAnswers(): Promise<GreedyAnswer[]> {
  const server = await startLoadedServer('--disable-radix-cache');
  try {
    const answers: GreedyAnswer[] = [];
    for (const prompt of PROMPTS) answers.push(await greedyTokens(server, prompt, ANSWER));
    return answers;
  } finally {
    await server.kill();
  }
}

/** Streams that ask for one answer after the other until they are stopped. Each must be whole and right. */
export class Load {
  requests = 0;
  /** Prompt tokens that came from the storage. */
  fromStorage = 0;
  readonly #server: TestServer;
  readonly #right: readonly GreedyAnswer[];
  readonly #running: Promise<unknown>;
  #stopped = false;

  constructor(server: TestServer, right: readonly GreedyAnswer[]) {
    this.#server = server;
    this.#right = right;
    this.#running = Promise.all(Array.from({ length: STREAMS }, (_, i) => this.#stream(i)));
    // Whoever stops it, or works beside it, hears of it.
    this.#running.catch(() => undefined);
  }

  /** Does something beside the load; ends with the first failure of either. */
  async beside(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#running.then(() => work)]);
  }

  /** Resolves when every stream has ended; rejects when an answer failed or was wrong. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #stream(first: number): Promise<void> {
    for (let i = first; !this.#stopped; i += 7) {
      const which = i % PROMPTS.length;
      const { tokens, storage } = await stream(this.#server, PROMPTS[which]!);
      expectSameAnswer({ ...this.#right[which]!, tokens }, this.#right[which]!, PROMPTS[which]);
      this.requests++;
      this.fromStorage += storage;
    }
  }
}

/** A greedy answer as a stream; its tokens, and how many of its prompt came from the storage. */
async function stream(server: TestServer, text: string): Promise<{ tokens: number[]; storage: number }> {
  const response = await server.post('/generate', {
    text,
    stream: true,
    sampling_params: { temperature: 0, max_new_tokens: ANSWER },
  });
  expect(response.status).toBe(200);
  const events = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
  expect(events.at(-1), 'a stream that is whole').toBe('data: [DONE]');
  const last = JSON.parse(events.at(-2)!.slice('data: '.length)) as {
    output_ids: number[];
    meta_info: { cached_tokens_details: { storage: number } };
  };
  return { tokens: last.output_ids, storage: last.meta_info.cached_tokens_details.storage };
}

/** No request failed, no rank died, and nothing is held any more. */
export async function expectNothingFailed(server: TestServer): Promise<void> {
  await server.expectIdle();
  const { ranks } = await server.info();
  expect(ranks.map(({ state, restarts }) => `${state} ${restarts}`)).toEqual(ranks.map(() => 'ready 0'));
  expect(await server.metric('requests_total', 'outcome="error"')).toBe(0);
}
