import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { greedy, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const LONG = { prompt: 'The cache', max_tokens: 4000, ignore_eos: true, temperature: 1 };
const [PROMPT] = STEADY_PROMPTS;

const started: TestServer[] = [];
afterEach(() => Promise.all(started.splice(0).map((server) => server.kill())));

async function start(...flags: string[]): Promise<TestServer> {
  const server = await startServer(flags);
  started.push(server);
  return server;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A process that ended stays as a zombie until its parent looks.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Seconds of CPU that a process has used. A tick is a hundredth of a second. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function inFlight(server: TestServer, count: number): Promise<void> {
  await expect
    .poll(async () => (await server.info()).in_flight, { interval: 5, timeout: 20_000 })
    .toBe(count);
}

async function ready(server: TestServer): Promise<string> {
  return (await server.info()).ranks.map(({ state, restarts }) => `${state} ${restarts}`).join(', ');
}

describe.skipIf(process.platform !== 'linux')('a server of two ranks', () => {
  it('loses only what a killed rank held, and starts it again', async () => {
    const server = await start('--dp-size', '2');
    const before = await greedy(server, PROMPT);
    const [victim] = await server.rankPids();
    const whole = Array.from({ length: 8 }, () =>
      server.post('/v1/completions', { ...LONG, max_tokens: 400 }),
    );
    await inFlight(server, 8);
    const stream = Array.from({ length: 2 }, () =>
      server.post('/v1/completions', { ...LONG, max_tokens: 400, stream: true }),
    );
    const streams = await Promise.all(stream);
    process.kill(victim!, 'SIGKILL');
    const answers = await Promise.all(
      (await Promise.all(whole)).map(async (response) => ({
        status: response.status,
        retry: response.headers.get('retry-after'),
        body: (await response.json()) as object,
      })),
    );
    const lost = answers.filter(({ status }) => status !== 200);
    expect(lost).toHaveLength(4);
    for (const { status, retry, body } of lost) {
      expect({ status, retry, body }).toMatchObject({
        status: 503,
        retry: '1',
        body: { error: { code: 'rank_lost' } },
      });
    }
    const texts = await Promise.all(streams.map((response) => response.text()));
    expect(texts.filter((text) => text.endsWith('data: [DONE]\n\n'))).toHaveLength(1);
    const [broken] = texts.filter((text) => !text.endsWith('data: [DONE]\n\n'));
    expect(broken!.split('\n\n').at(-2)).toContain('"code":"rank_lost"');
    // Meanwhile the other rank serves everybody.
    expect(await greedy(server, PROMPT)).toBe(before);
    await expect
      .poll(() => ready(server), { timeout: 30_000 })
      .toMatch(/^(ready 1, ready 0|ready 0, ready 1)$/);
    expect(await Promise.all(STEADY_PROMPTS.slice(0, 4).map(() => greedy(server, PROMPT)))).toEqual(
      Array(4).fill(before),
    );
    await server.expectIdle();
  });

  it('says that no rank serves when both are gone, and recovers', async () => {
    const server = await start('--dp-size', '2');
    for (const pid of await server.rankPids()) process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await server.get('/ready')).status, { interval: 5 }).toBe(503);
    expect((await server.get('/health')).status).toBe(200);
    const refused = await server.post('/v1/completions', { prompt: 'x' });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'no_rank' } });
    expect((await server.get('/metrics')).status).toBe(200);
    await expect.poll(async () => (await server.get('/ready')).status, { timeout: 30_000 }).toBe(200);
    expect((await server.post('/v1/completions', { prompt: 'x', max_tokens: 1 })).status).toBe(200);
  });
});

describe.skipIf(process.platform !== 'linux')('a server', () => {
  it('finishes what it has begun when it is asked to end', async () => {
    const server = await start('--dp-size', '2');
    const ranks = await server.rankPids();
    expect(ranks).toHaveLength(2);
    const whole = server.post('/v1/completions', { ...LONG, max_tokens: 200 });
    const stream = await server.post('/v1/completions', { ...LONG, max_tokens: 200, stream: true });
    await inFlight(server, 2);
    const exit = server.stop();
    const answer = (await (await whole).json()) as { usage: { completion_tokens: number } };
    expect(answer.usage.completion_tokens).toBe(200);
    expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
    expect(await exit).toBe(0);
    for (const pid of ranks) expect(isAlive(pid)).toBe(false);
    await expect(server.get('/health')).rejects.toThrow();
  });

  it('takes no more requests meanwhile', async () => {
    const server = await start();
    const socket = connect(server.port, '127.0.0.1');
    const received = text(socket);
    const body = JSON.stringify({ ...LONG, max_tokens: 400 });
    const head = `host: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    const request = `POST /v1/completions HTTP/1.1\r\n${head}\r\n\r\n${body}`;
    socket.write(request);
    await inFlight(server, 1);
    const exit = server.stop();
    await expect.poll(() => server.log).toContain('finishing 1 request');
    // The second one on the same connection, which is still open.
    socket.write(request);
    const answers = (await received).split('HTTP/1.1 ').slice(1);
    expect(answers.map((answer) => answer.slice(0, 3))).toEqual(['200', '503']);
    expect(answers[1]).toContain('"code":"shutting_down"');
    expect(await exit).toBe(0);
  });

  it('ends at once when it is asked twice', async () => {
    const server = await start();
    const ranks = await server.rankPids();
    const request = server.post('/v1/completions', { ...LONG, max_tokens: 8000 }).catch(() => 'cut');
    await inFlight(server, 1);
    void server.stop();
    await expect.poll(() => server.log).toContain('finishing 1 request');
    expect(await server.stop()).toBe(1);
    expect(await request).toBe('cut');
    await expect.poll(() => ranks.some(isAlive), { timeout: 10_000 }).toBe(false);
  });

  it('takes its ranks with it when it is killed', async () => {
    const server = await start('--dp-size', '2');
    const ranks = await server.rankPids();
    const request = server.post('/v1/completions', { ...LONG, max_tokens: 8000 }).catch(() => 'cut');
    await inFlight(server, 1);
    await server.kill();
    expect(await request).toBe('cut');
    await expect.poll(() => ranks.some(isAlive), { timeout: 10_000 }).toBe(false);
  });

  it('uses no CPU while nobody asks', async () => {
    const server = await start();
    await greedy(server, PROMPT);
    await server.expectIdle();
    const pids = [server.pid, ...(await server.rankPids())];
    // What the garbage collector and the JIT compiler still have to do is over.
    await sleep(500);
    const before = pids.map(cpuSeconds);
    await sleep(2000);
    for (const [i, pid] of pids.entries()) expect(cpuSeconds(pid) - before[i]!).toBeLessThan(0.2);
  });
});
