import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectSameAnswer, greedyTokens, startServer, type TestServer } from '../support/server.ts';

const WORDS = 'cache river letter window bridge teacher garden page morning train question server'.split(' ');

/** 64 requests: prompts of 1 to about 300 tokens, answers of 1 to 45. */
const REQUESTS = Array.from({ length: 64 }, (_, i) => ({
  text: Array.from({ length: 1 + ((i * i * 7) % 150) }, (_, j) => WORDS[(i + j * j) % WORDS.length]).join(
    ' ',
  ),
  maxTokens: 1 + ((i * 11) % 45),
}));

let server: TestServer;
beforeAll(async () => {
  // Few cells: requests also wait, and are put back and computed again.
  server = await startServer(['--max-total-tokens', '4096', '--max-running-requests', '48']);
});
afterAll(() => server?.kill());

it('answers many requests at once as it answers them one by one', async () => {
  const answer = ({ text, maxTokens }: (typeof REQUESTS)[number]) => greedyTokens(server, text, maxTokens);
  const alone = [];
  for (const request of REQUESTS) alone.push(await answer(request));
  const together = await Promise.all(REQUESTS.map(answer));
  for (const [i, right] of alone.entries()) expectSameAnswer(together[i]!, right, REQUESTS[i]!.text);
  expect(alone.reduce((sum, { certain }) => sum + certain, 0)).toBeGreaterThan(200);
  await server.expectIdle();
});
