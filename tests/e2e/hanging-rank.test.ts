import { expect, it } from 'vitest';
import { startServer } from '../support/server.ts';

// It takes half a minute: so long may a rank be silent, and then take to answer.
it.skipIf(process.platform !== 'linux')(
  'a rank that hangs is killed, its request ends with rank_lost, and it serves again',
  { timeout: 120_000 },
  async () => {
    const server = await startServer();
    try {
      const [rank] = await server.rankPids();
      process.kill(rank ?? 0, 'SIGSTOP');
      const lost = await server.post('/v1/completions', { prompt: 'Hello', max_tokens: 4 });
      expect(lost.status).toBe(503);
      expect(await lost.json()).toMatchObject({ error: { code: 'rank_lost' } });
      const state = async () => (await server.info()).ranks[0]?.state;
      await expect.poll(state, { timeout: 20_000 }).toBe('ready');
      expect((await server.post('/v1/completions', { prompt: 'Hello', max_tokens: 4 })).status).toBe(200);
    } finally {
      await server.kill();
    }
  },
);
