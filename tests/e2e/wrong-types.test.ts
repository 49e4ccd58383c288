import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatBody } from '../../src/server/schemas/chat.ts';
import { CompletionBody } from '../../src/server/schemas/completion.ts';
import { GenerateBody, SglangSampling } from '../../src/server/schemas/generate.ts';
import { greedy, refusal, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const message = { role: 'user', content: 'hi' };
const [PROMPT] = STEADY_PROMPTS;

let server: TestServer;
let before: string;
beforeAll(async () => {
  server = await startServer();
  before = await greedy(server, PROMPT);
});
afterAll(() => server?.kill());

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
        const error = await refusal(server, route, { ...sound, [name]: value });
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
        const error = await refusal(server, '/generate', { text: 'x', sampling_params: { [name]: value } });
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
      const error = await refusal(server, '/v1/completions', `{"prompt": "x", "${name}": ${number}}`);
      expect(error.param).toBe(name);
    }
    await refusal(server, '/v1/completions', `{"prompt": "x", "logit_bias": {"5": ${number}, "x": 1}}`);
  });

  it.each(['null', '[]', '"text"', '5', 'true'])('is also the whole body %s', async (body) => {
    expect(await refusal(server, '/v1/completions', body)).toMatchObject({
      param: null,
      message: 'The body must be object.',
    });
  });
});

it('leaves the server as it was', async () => {
  expect(await greedy(server, PROMPT)).toBe(before);
  await server.expectIdle();
  expect((await server.info()).ranks).toMatchObject([{ restarts: 0, state: 'ready' }]);
  expect(server.log).not.toMatch(/"level":[56]0/);
});
