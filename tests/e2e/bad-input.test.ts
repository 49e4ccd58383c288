import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatBody } from '../../src/server/schemas/chat.ts';
import { CompletionBody } from '../../src/server/schemas/completion.ts';
import { GenerateBody, SglangSampling } from '../../src/server/schemas/generate.ts';
import { greedy, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

const message = { role: 'user', content: 'hi' };
const [PROMPT] = STEADY_PROMPTS;

let server: TestServer;
let before: string;
beforeAll(async () => {
  server = await startServer();
  before = await greedy(server, PROMPT);
});
afterAll(() => server?.kill());

/** The error of a request that must be refused with this status. */
async function refusal(route: string, body: unknown, status = 400, init: RequestInit = {}) {
  const response = await server.post(route, body, init);
  const text = await response.text();
  expect(response.status, text.slice(0, 300)).toBe(status);
  const { error } = JSON.parse(text) as ErrorBody;
  expect(error).toEqual({
    message: expect.any(String),
    type: expect.stringMatching(/_error$/),
    param: error.param,
    code: expect.any(String),
  });
  return error;
}

describe('a prompt', () => {
  it.each([
    ['/v1/completions', 'prompt', (text: string) => ({ prompt: text })],
    ['/v1/chat/completions', 'messages', (text: string) => ({ messages: [{ role: 'user', content: text }] })],
    ['/generate', 'text', (text: string) => ({ text })],
  ])('longer than the context is refused by %s with both numbers', async (route, param, body) => {
    const error = await refusal(route, body('a'.repeat(200_000)));
    expect(error).toMatchObject({ code: 'context_length_exceeded', param });
    expect(error.message).toMatch(/8192 tokens.* 2000\d\d,/);
  });

  it('that leaves room for one token gets one', async () => {
    const ids = (length: number) => Array.from({ length }, (_, i) => i % 256);
    await refusal('/v1/completions', { prompt: ids(8192) });
    const response = await server.post('/v1/completions', { prompt: ids(8191), max_tokens: 5 });
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
    expect(await refusal(route, body)).toMatchObject({ code: 'empty_prompt' });
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
    expect(await refusal('/v1/completions', `{"prompt": ${ids}}`)).toMatchObject({ code });
    expect(await refusal('/generate', `{"input_ids": ${ids}}`)).toMatchObject({ code });
  });

  it('with lone surrogates is answered', async () => {
    const response = await server.post('/v1/completions', '{"prompt": "\\ud800 x \\udc00", "max_tokens": 2}');
    expect(response.status).toBe(200);
  });
});

describe('a field of the wrong type', () => {
  const VALUES = [
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    1e308,
    'text',
    '',
    [],
    {},
    [[]],
    [null],
    [true],
    [{}],
    { a: 'b' },
  ];

  it.each([
    ['/v1/chat/completions', ChatBody, { messages: [message], max_tokens: 1 }],
    ['/v1/completions', CompletionBody, { prompt: 'x', max_tokens: 1 }],
    ['/generate', GenerateBody, { text: 'x', sampling_params: { max_new_tokens: 1 } }],
  ])('of %s is refused by its name', async (route, schema, sound) => {
    for (const [name, field] of Object.entries(schema.properties)) {
      const wrong = VALUES.filter((value) => !Value.Check(Type.Object({ [name]: field }), { [name]: value }));
      for (const value of wrong) {
        const error = await refusal(route, { ...sound, [name]: value });
        const given = `${name}: ${JSON.stringify(value)}`;
        expect(error.code, given).toBe('invalid_value');
        expect(error.param?.split(/[.[]/)[0], given).toBe(name);
        expect(error.message, given).toContain(error.param);
      }
    }
  });

  it('of sampling_params is refused by its name', async () => {
    for (const [name, field] of Object.entries(SglangSampling.properties)) {
      const wrong = VALUES.filter((value) => !Value.Check(Type.Object({ [name]: field }), { [name]: value }));
      for (const value of wrong) {
        const error = await refusal('/generate', { text: 'x', sampling_params: { [name]: value } });
        expect(error.param, `${name}: ${JSON.stringify(value)}`).toMatch(
          new RegExp(`^sampling_params\\.${name}`),
        );
      }
    }
  });

  it.each(['1e999', '-1e999', '1e308', '-0.1'])('is also the number %s', async (number) => {
    for (const name of [
      'temperature',
      'top_p',
      'max_tokens',
      'n',
      'top_k',
      'frequency_penalty',
      'min_tokens',
      'seed',
    ]) {
      // Small penalties and any minimum are fine.
      if (name === 'frequency_penalty' && number === '-0.1') continue;
      if (name === 'min_tokens' && number === '1e308') continue;
      const error = await refusal('/v1/completions', `{"prompt": "x", "${name}": ${number}}`);
      expect(error.param).toBe(name);
    }
    await refusal('/v1/completions', `{"prompt": "x", "logit_bias": {"5": ${number}, "x": 1}}`);
  });

  it.each(['null', '[]', '"text"', '5', 'true'])('is also the whole body %s', async (body) => {
    expect(await refusal('/v1/completions', body)).toMatchObject({
      param: null,
      message: 'The body must be object.',
    });
  });
});

describe('a request for too much', () => {
  it.each([
    ['/v1/completions', { prompt: 'x', n: 129 }, 'n'],
    ['/v1/completions', { prompt: Array(256).fill('x'), n: 128, max_tokens: 1 }, 'n'],
    ['/v1/completions', { prompt: Array(257).fill('x') }, 'prompt'],
    ['/v1/completions', { prompt: 'x', max_tokens: 8192 }, 'max_tokens'],
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
    expect(await refusal(route, body)).toMatchObject({ code: 'invalid_value', param });
  });

  it('is the next more than the most, which is served', async () => {
    const prompt = Array.from({ length: 8 }, () => 'x');
    const response = await server.post('/v1/completions', { prompt, n: 128, max_tokens: 1 });
    expect(((await response.json()) as { choices: object[] }).choices).toHaveLength(1024);
  });

  it('in one body is refused before it is read', async () => {
    const body = `{"prompt": "${'a'.repeat(6 << 20)}"}`;
    expect(await refusal('/v1/completions', body, 413)).toMatchObject({ code: 'body_too_large' });
    // Without a length the server learns it only on the way.
    const chunks = new Blob([body]).stream();
    const init = { body: chunks, duplex: 'half' } as RequestInit;
    expect(await refusal('/v1/completions', body, 413, init)).toMatchObject({ code: 'body_too_large' });
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
    expect(await refusal('/v1/completions', body)).toMatchObject({ code: 'invalid_json', param: null });
  });

  it.each(['{"prompt": "x", "__proto__": {"n": 3}}', '{"prompt": "x", "constructor": {"prototype": {}}}'])(
    'that reaches for the prototype is refused: %s',
    async (body) => {
      expect(await refusal('/v1/completions', body)).toMatchObject({ code: 'invalid_json' });
    },
  );

  it('that is no UTF-8 is refused', async () => {
    const bytes = Buffer.concat([Buffer.from('{"prompt": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(await refusal('/v1/completions', '', 400, { body: bytes })).toMatchObject({
      code: 'invalid_encoding',
    });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/xml', 'x'])(
    'of type %s is refused',
    async (type) => {
      const init = { headers: { 'content-type': type } };
      const error = await refusal('/v1/completions', { prompt: 'x' }, 415, init);
      expect(error).toMatchObject({ code: 'unsupported_media_type', message: expect.stringContaining(type) });
    },
  );

  it('of no type is refused, and none at all too', async () => {
    const bytes = Buffer.from('{"prompt": "x"}');
    await refusal('/v1/completions', '', 415, { body: bytes, headers: {} });
    await refusal('/v1/completions', '', 400, { body: null, headers: {} });
  });
});

describe('a schema', () => {
  const deep = `${'{"type":"object","properties":{"a":'.repeat(10_000)}{}${'}}'.repeat(10_000)}`;
  const huge = JSON.stringify({
    type: 'object',
    properties: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`p${i}`, { type: 'string' }])),
  });
  const SCHEMAS: [string, string][] = [
    ['that is nested too deeply', deep],
    ['that is huge', huge],
    ['that is impossible', '{"type":"string","enum":[1]}'],
    [
      'that has no end',
      '{"$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"required":["a"]}},"$ref":"#/$defs/a"}',
    ],
    ['that repeats without bounds', '{"type":"string","minLength":900000000}'],
    ['that refers to nothing', '{"$ref":"#/$defs/nosuch"}'],
    ['that is no schema', '5'],
  ];

  it.each(SCHEMAS)('%s is refused', async (_, schema) => {
    const format = `{"type":"json_schema","json_schema":{"name":"x","schema":${schema}}}`;
    const body = `{"messages":[{"role":"user","content":"x"}],"response_format":${format}}`;
    const error = await refusal('/v1/chat/completions', body);
    expect(error).toMatchObject({ code: 'unsupported_schema', param: 'response_format.json_schema.schema' });
    const tools = `[{"type":"function","function":{"name":"f","parameters":${schema}}}]`;
    const call = `{"messages":[{"role":"user","content":"x"}],"tools":${tools},"tool_choice":"required"}`;
    const toolError = await refusal('/v1/chat/completions', call);
    expect(toolError).toMatchObject({ code: 'unsupported_schema', param: 'tools[0].function.parameters' });
  });

  it('or other value that is nested too deeply for the template is refused', async () => {
    const messages = '"messages":[{"role":"user","content":"x"}]';
    const tools = `{${messages},"tools":[{"type":"function","function":{"name":"f","parameters":${deep}}}]}`;
    expect(await refusal('/v1/chat/completions', tools)).toMatchObject({ code: 'template_failed' });
    const list = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(await refusal('/v1/completions', `{"prompt":${list}}`)).toMatchObject({ code: 'invalid_value' });
  });
});

it('leaves the server as it was', async () => {
  expect(await greedy(server, PROMPT)).toBe(before);
  await server.expectIdle();
  expect((await server.info()).ranks).toMatchObject([{ restarts: 0, state: 'ready' }]);
  expect(server.log).not.toMatch(/"level":[56]0/);
});
