import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { greedy, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const [PROMPT] = STEADY_PROMPTS;
const LAST = 'GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
const LONG = { prompt: PROMPT, max_tokens: 8000, ignore_eos: true };

let server: TestServer;
let before: string;
beforeAll(async () => {
  server = await startServer();
  before = await greedy(server, PROMPT);
});
afterAll(() => server?.kill());

const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

async function dial(): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1');
  sockets.add(socket);
  await once(socket, 'connect');
  return socket;
}

function head(body: string, length = Buffer.byteLength(body)): string {
  return `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

async function inFlight(count: number): Promise<void> {
  await expect
    .poll(async () => (await server.info()).in_flight, { interval: 5, timeout: 20_000 })
    .toBe(count);
}

describe('a client', () => {
  it('that opens a stream and never reads holds nobody up', async () => {
    const sockets = await Promise.all(Array.from({ length: 8 }, dial));
    for (const socket of sockets) {
      socket.pause();
      socket.write(head(JSON.stringify({ ...LONG, stream: true })));
    }
    await inFlight(8);
    expect(await greedy(server, PROMPT)).toBe(before);
    for (const socket of sockets) socket.destroy();
    await server.expectIdle();
  });

  it('that leaves in the middle of its stream, or before it, frees what it held', async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, dial));
    const read = sockets.slice(0, 10).map((socket) => once(socket, 'data'));
    for (const [i, socket] of sockets.entries())
      socket.write(head(JSON.stringify({ ...LONG, n: 2, stream: i < 15 })));
    await Promise.all(read);
    for (const socket of sockets) socket.destroy();
    await server.expectIdle();
  });

  it('that leaves while its prompt is tokenized frees what it would have held', async () => {
    const before = server.log.split('"client left"').length - 1;
    const prompt = 'several words and more '.repeat(350);
    const sockets = await Promise.all(Array.from({ length: 10 }, dial));
    for (const socket of sockets)
      socket.write(head(JSON.stringify({ ...LONG, prompt })), () => socket.destroy());
    const left = () => server.log.split('"client left"').length - 1;
    await expect.poll(left, { timeout: 20_000 }).toBe(before + 10);
    await server.expectIdle();
  });

  it('that sends half a body and leaves is forgotten', async () => {
    for (const part of ['', '{"prompt": "x', '{"prompt": "x"}']) {
      const socket = await dial();
      socket.write(head(part, 1000));
      socket.end();
      socket.resume();
      await once(socket, 'close');
    }
    await server.expectIdle();
  });

  it.each([
    ['nonsense', 'GARBAGE\r\n\r\n', 400],
    ['bytes', Buffer.from([0x16, 3, 1, 2, 0, 1, 0]), 400],
    ['a length that is none', 'POST /generate HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n', 400],
    [
      'two lengths',
      'POST /generate HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
    ],
    ['a broken chunk', 'POST /generate HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n', 400],
    ['endless headers', `GET /health HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(100_000)}\r\n\r\n`, 431],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400],
  ])('that sends %s instead of HTTP is told so', async (_, bytes, status) => {
    const socket = await dial();
    // The server may close while bytes are still on their way.
    socket.on('error', () => undefined);
    socket.write(bytes);
    const answer = await text(socket);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('that pipelines gets its answers in order', async () => {
    const socket = await dial();
    const body = JSON.stringify({ prompt: PROMPT, temperature: 0, max_tokens: 24 });
    socket.write(head(body) + head('{}') + LAST);
    const answer = await text(socket);
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400', 'HTTP/1.1 200']);
    expect(answer).toContain(JSON.stringify(before));
  });

  it('that streams many times over one connection leaves no listeners on it', async () => {
    const socket = await dial();
    const received = text(socket);
    const body = JSON.stringify({ prompt: PROMPT, max_tokens: 1, stream: true });
    socket.write(head(body).repeat(14));
    socket.write(LAST);
    expect((await received).match(/data: \[DONE\]/g)).toHaveLength(14);
    expect(server.log).not.toContain('MaxListenersExceededWarning');
  });
});

describe('five hundred clients at once', () => {
  const KINDS: ((i: number) => Promise<{ status: number; expected: number; body: string }>)[] = [
    async () => expecting(200, server.get('/health')),
    async () => expecting(200, server.get('/server_info')),
    async () =>
      expecting(200, server.post('/v1/completions', { prompt: PROMPT, temperature: 0, max_tokens: 4 })),
    async () =>
      expecting(200, server.post('/generate', { text: PROMPT, sampling_params: { max_new_tokens: 3 } })),
    async () =>
      expecting(200, server.post('/v1/completions', { prompt: PROMPT, max_tokens: 3, stream: true })),
    async () => expecting(200, server.post('/tokenize', { prompt: PROMPT })),
    async () => expecting(400, server.post('/v1/completions', { prompt: '' })),
    async () => expecting(400, server.post('/v1/chat/completions', '{')),
    async () => expecting(404, server.get('/nosuch')),
    async () => expecting(404, server.post('/v1/completions', { prompt: 'x', model: 'gpt' })),
  ];

  async function expecting(expected: number, pending: Promise<Response>) {
    const response = await pending;
    return { expected, status: response.status, body: await response.text() };
  }

  it('each get a proper answer', async () => {
    const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => KINDS[i % KINDS.length]!(i)));
    for (const { expected, status, body } of answers) {
      expect(status, body).toBe(expected);
      if (status !== 200) expect(JSON.parse(body)).toMatchObject({ error: { code: expect.any(String) } });
    }
    const texts = answers.filter((_, i) => i % KINDS.length === 2).map(({ body }) => body);
    for (const body of texts) {
      const { choices } = JSON.parse(body) as { choices: { text: string }[] };
      expect(before.startsWith(choices[0]!.text)).toBe(true);
    }
  });
});

it('leave the server as it was', async () => {
  expect(await greedy(server, PROMPT)).toBe(before);
  await server.expectIdle();
  expect((await server.info()).ranks).toMatchObject([{ restarts: 0, state: 'ready' }]);
  expect(server.log).not.toMatch(/"level":[56]0|Warning/);
});
