import { expect } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { words } from './cache-server.ts';
import { expectSameAnswer, type GreedyAnswer, greedyTokens, startServer, type TestServer } from './server.ts';
import { type Answer, attach, call, STORAGE, WITH_ADMIN_KEY } from './storage-api.ts';

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

export interface LiveCounts {
  requests: number;
  operations: number;
  /** Prompt tokens that came from the storage. */
  fromStorage: number;
}

/** The status and text of what an operation is answered. */
async function operate(operation: Promise<Answer>): Promise<string> {
  const { status, text } = await operation;
  return `${status} ${text}`;
}

function attachLive(server: TestServer, path: string, replace: boolean): Promise<Answer> {
  const config = { path, min_free_space: 0, prefetch_threshold: 16 };
  return attach(server, config, { mode: 'live', switch: replace, read_through: 1 });
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

/** The right answers, of a server without a cache. */
async function rightAnswers(): Promise<GreedyAnswer[]> {
  const server = await startServer([...FLAGS, '--disable-radix-cache']);
  const answers: GreedyAnswer[] = [];
  for (const prompt of PROMPTS) answers.push(await greedyTokens(server, prompt, ANSWER));
  await server.kill();
  return answers;
}

/**
 * Attaches, switches and detaches under load, one operation after the other with a second between them, for so long.
 * Every stream must be whole and right, and every operation must succeed.
 */
export async function changeUnderLoad(seconds: number): Promise<LiveCounts> {
  const right = await rightAnswers();
  const folders = [await temporaryFolder(), await temporaryFolder()] as const;
  const server = await startServer([...FLAGS, '--dp-size', '2']);
  const counts: LiveCounts = { requests: 0, operations: 0, fromStorage: 0 };
  const until = performance.now() + 1000 * seconds;
  try {
    const ask = async (first: number) => {
      for (let i = first; performance.now() < until; i += 7) {
        const which = i % PROMPTS.length;
        const { tokens, storage } = await stream(server, PROMPTS[which]!);
        expectSameAnswer({ ...right[which]!, tokens }, right[which]!, PROMPTS[which]);
        counts.requests++;
        counts.fromStorage += storage;
      }
    };
    const change = async () => {
      const steps = [
        () => attachLive(server, folders[0], false),
        () => attachLive(server, folders[1], true),
        () => attachLive(server, folders[0], true),
        () => call(server, 'DELETE', `${STORAGE}?mode=live`),
      ];
      for (let i = 0; performance.now() < until; i++) {
        expect(await operate(steps[i % steps.length]!())).toMatch(/^200 /);
        counts.operations++;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    };
    await Promise.all([change(), ...Array.from({ length: STREAMS }, (_, i) => ask(i))]);
    await server.expectIdle();
    const { ranks } = await server.info();
    expect(ranks.map(({ state, restarts }) => `${state} ${restarts}`)).toEqual(['ready 0', 'ready 0']);
    expect(await server.metric('requests_total', 'outcome="error"')).toBe(0);
    return counts;
  } finally {
    await server.kill();
  }
}
