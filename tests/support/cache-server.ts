import { afterEach, expect } from 'vitest';
import { expectSameAnswer, type GreedyAnswer, greedyTokens, startServer, type TestServer } from './server.ts';

/** Few cells, small pages: prompts of some ten words are many pages, and there is never room for all of them. */
const FLAGS = ['--max-total-tokens', '256', '--page-size', '8', '--max-running-requests', '4'];
const WORDS = 'cache river letter window bridge teacher garden page morning train question server'.split(' ');
const ANSWER = 8;

const started: TestServer[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())));

/** A server that checks every invariant of its cache after every operation. The caller ends it. */
export function startSharedServer(...flags: string[]): Promise<TestServer> {
  return startServer([...FLAGS, ...flags], { TIERKV_CHECK_CACHE: '1' });
}

/** One that ends with the test. */
export async function startCacheServer(...flags: string[]): Promise<TestServer> {
  const server = await startSharedServer(...flags);
  started.push(server);
  return server;
}

/** The flags of a file backend, from which every page is worth fetching and waiting for. */
export function storageIn(folder: string, config: object = {}): string[] {
  const all = { path: folder, min_free_space: 0, prefetch_threshold: 8, ...config };
  return [
    '--hicache-storage-backend',
    'file',
    '--hicache-storage-backend-extra-config',
    JSON.stringify(all),
    '--hicache-storage-prefetch-policy',
    'wait_complete',
  ];
}

/** Words that look like a prompt, the same for the same seed; another seed has another first word, too. */
export function words(count: number, seed: number): string {
  return Array.from({ length: count }, (_, i) => WORDS[(seed + i * i * (1 + (seed % 7)) + i) % WORDS.length])
    .concat(String(seed))
    .reverse()
    .join(' ');
}

export interface Question {
  text: string;
  /** Fields of the request besides, such as `cache_salt`. */
  fields?: object;
}

/** Equal prompts, prefixes of others, branches and namespaces. */
export const QUESTIONS: readonly Question[] = [1, 2, 3].flatMap((seed) => {
  const head = words(20, seed);
  return [
    { text: head },
    { text: head },
    { text: `${head} ${words(20, seed + 10)}` },
    { text: `${head} ${words(15, seed + 20)}` },
    { text: `${head.slice(0, 60)} ${words(10, seed + 30)}` },
    { text: head, fields: { cache_salt: 'mine' } },
    { text: `${head} ${words(20, seed + 10)}`, fields: { extra_key: 'theirs' } },
  ];
});

export function ask(server: TestServer, { text, fields }: Question): Promise<GreedyAnswer> {
  return greedyTokens(server, text, ANSWER, fields);
}

/** What a server without a cache answers. */
export async function rightAnswers(questions: readonly Question[] = QUESTIONS): Promise<GreedyAnswer[]> {
  const server = await startServer([...FLAGS, '--disable-radix-cache']);
  const answers = [];
  for (const question of questions) answers.push(await ask(server, question));
  await server.kill();
  return answers;
}

/** Asks everything, some at a time, and compares with what is right. Returns the tokens that came from every tier. */
export async function expectRightAnswers(
  server: TestServer,
  right: readonly GreedyAnswer[],
  questions: readonly Question[] = QUESTIONS,
): Promise<{ device: number; host: number; storage: number }> {
  const sum = { device: 0, host: 0, storage: 0 };
  const left = [...questions.entries()];
  const askNext = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [i, question] = next;
      const answer = await ask(server, question);
      expectSameAnswer(answer, right[i]!, `${JSON.stringify(question)} ${JSON.stringify(answer.cached)}`);
      for (const tier of ['device', 'host', 'storage'] as const) sum[tier] += answer.cached[tier];
    }
  };
  await Promise.all([askNext(), askNext(), askNext()]);
  return sum;
}

/** No rank has died, and nothing is held any more. */
export async function expectHealthy(server: TestServer): Promise<void> {
  await server.expectIdle();
  const { ranks } = await server.info();
  expect(ranks.map(({ state, restarts }) => `${state} ${restarts}`)).toEqual(ranks.map(() => 'ready 0'));
}
