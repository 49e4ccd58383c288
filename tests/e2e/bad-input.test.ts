import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedy, refusal, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const message = { role: 'user', content: 'hi' };
const [PROMPT] = STEADY_PROMPTS;

let server: TestServer;
let before: string;
beforeAll(async () => {
  server = await startServer(['--context-length', '2048']);
  before = await greedy(server, PROMPT);
});
afterAll(() => server?.kill());

describe('a prompt', () => {
  it.each([
    ['/v1/completions', 'prompt', (text: string) => ({ prompt: text })],
    ['/v1/chat/completions', 'messages', (text: string) => ({ messages: [{ role: 'user', content: text }] })],
    ['/generate', 'text', (text: string) => ({ text })],
  ])('longer than the context is refused by %s with both numbers', async (route, param, body) => {
    const error = await refusal(server, route, body('a'.repeat(200_000)));
    expect(error).toMatchObject({ code: 'context_length_exceeded', param });
    expect(error.message).toMatch(/2048 tokens.* 2000\d\d,/);
  });

  it('that leaves room for one token gets one', async () => {
    const ids = (length: number) => Array.from({ length }, (_, i) => i % 256);
    await refusal(server, '/v1/completions', { prompt: ids(2048) });
    const response = await server.post('/v1/completions', { prompt: ids(2047), max_tokens: 5 });
    expect(await response.json()).toMatchObject({ usage: { completion_tokens: 1 } });
  });

  it.each([
    ['/v1/completions', { prompt: '' }],
    ['/v1/completions', { prompt: [] }],
    ['/v1/completions', { prompt: [[]] }],
    ['/v1/completions', { prompt: ['x', ''] }],
    ['/generate', { text: '' }],
    ['/generate', { text: [] }],
    ['/generate', { input_ids: [] }],
    ['/generate', { input_ids: [[1], []] }],
  ])('that is empty is refused: %s %j', async (route, body) => {
    expect(await refusal(server, route, body)).toMatchObject({ code: 'empty_prompt' });
  });

  it.each([
    ['[1024]', 'token_out_of_range'],
    ['[1, 2, 4294967296]', 'token_out_of_range'],
    ['[1e15]', 'token_out_of_range'],
    ['[[1], [99999]]', 'token_out_of_range'],
    ['[-1]', 'invalid_value'],
    ['[1.5]', 'invalid_value'],
    ['[1e999]', 'invalid_value'],
    ['[1, "a"]', 'invalid_value'],
    ['[[1], "a"]', 'invalid_value'],
    ['[[[1]]]', 'invalid_value'],
    ['[NaN]', 'invalid_json'],
  ])('of tokens %s is refused', async (ids, code) => {
    expect(await refusal(server, '/v1/completions', `{"prompt": ${ids}}`)).toMatchObject({ code });
    expect(await refusal(server, '/generate', `{"input_ids": ${ids}}`)).toMatchObject({ code });
  });

  it('with lone surrogates is answered', async () => {
    const response = await server.post('/v1/completions', '{"prompt": "\\ud800 x \\udc00", "max_tokens": 2}');
    expect(response.status).toBe(200);
  });
});

describe('a request for too much', () => {
  it.each([
    ['/v1/completions', { prompt: 'x', n: 129 }, 'n'],
    ['/v1/completions', { prompt: Array(256).fill('x'), n: 128, max_tokens: 1 }, 'n'],
    ['/v1/completions', { prompt: Array(257).fill('x') }, 'prompt'],
    ['/v1/completions', { prompt: 'x', max_tokens: 2048 }, 'max_tokens'],
    ['/v1/completions', { prompt: 'x', max_tokens: 0 }, 'max_tokens'],
    ['/v1/completions', { prompt: 'x', logprobs: 21 }, 'logprobs'],
    ['/v1/completions', { prompt: 'x', stop: Array.from({ length: 10_000 }, (_, i) => `s${i}`) }, 'stop'],
    ['/v1/completions', { prompt: 'x', stop: 's'.repeat(5000) }, 'stop'],
    [
      '/v1/chat/completions',
      { messages: [message], max_completion_tokens: 10 ** 9 },
      'max_completion_tokens',
    ],
    [
      '/v1/chat/completions',
      { messages: [message], tools: Array(129).fill({ type: 'function', function: { name: 'f' } }) },
      'tools',
    ],
    [
      '/generate',
      { text: 'x', sampling_params: { max_new_tokens: 10 ** 9 } },
      'sampling_params.max_new_tokens',
    ],
    ['/generate', { text: Array(200).fill('x'), sampling_params: { n: 100 } }, 'sampling_params.n'],
  ])('is refused: %s %.60j', async (route, body, param) => {
    expect(await refusal(server, route, body)).toMatchObject({ code: 'invalid_value', param });
  });

  it('is the next more than the most, which is served', async () => {
    const prompt = Array.from({ length: 8 }, () => 'x');
    const response = await server.post('/v1/completions', { prompt, n: 128, max_tokens: 1 });
    expect(((await response.json()) as { choices: object[] }).choices).toHaveLength(1024);
  });

  it('in one body is refused before it is read', async () => {
    const body = `{"prompt": "${'a'.repeat(6 << 20)}"}`;
    expect(await refusal(server, '/v1/completions', body, 413)).toMatchObject({ code: 'body_too_large' });
    // Without a length the server learns it only on the way.
    const chunks = new Blob([body]).stream();
    const init = { body: chunks, duplex: 'half' } as RequestInit;
    expect(await refusal(server, '/v1/completions', body, 413, init)).toMatchObject({
      code: 'body_too_large',
    });
  });
});

describe('a body', () => {
  it.each([
    '',
    '{',
    '{"prompt": "x"',
    '{"prompt": NaN}',
    '{"a": Infinity}',
    "{'prompt': 'x'}",
    '{"prompt": "x",}',
    '\u0000',
  ])('that is no JSON is refused: %j', async (body) => {
    expect(await refusal(server, '/v1/completions', body)).toMatchObject({
      code: 'invalid_json',
      param: null,
    });
  });

  it.each(['{"prompt": "x", "__proto__": {"n": 3}}', '{"prompt": "x", "constructor": {"prototype": {}}}'])(
    'that reaches for the prototype is refused: %s',
    async (body) => {
      expect(await refusal(server, '/v1/completions', body)).toMatchObject({ code: 'invalid_json' });
    },
  );

  it('that is no UTF-8 is refused', async () => {
    const bytes = Buffer.concat([Buffer.from('{"prompt": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(await refusal(server, '/v1/completions', '', 400, { body: bytes })).toMatchObject({
      code: 'invalid_encoding',
    });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/xml', 'x'])(
    'of type %s is refused',
    async (type) => {
      const init = { headers: { 'content-type': type } };
      const error = await refusal(server, '/v1/completions', { prompt: 'x' }, 415, init);
      expect(error).toMatchObject({ code: 'unsupported_media_type', message: expect.stringContaining(type) });
    },
  );

  it('of no type is refused, and none at all too', async () => {
    const bytes = Buffer.from('{"prompt": "x"}');
    await refusal(server, '/v1/completions', '', 415, { body: bytes, headers: {} });
    await refusal(server, '/v1/completions', '', 400, { body: null, headers: {} });
  });
});

it('leaves the server as it was', async () => {
  expect(await greedy(server, PROMPT)).toBe(before);
  await server.expectIdle();
  expect((await server.info()).ranks).toMatchObject([{ restarts: 0, state: 'ready' }]);
  expect(server.log).not.toMatch(/"level":[56]0/);
});
