import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { greedy, refusal, STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const [PROMPT] = STEADY_PROMPTS;

let server: TestServer;
let before: string;
beforeAll(async () => {
  server = await startServer();
  before = await greedy(server, PROMPT);
});
afterAll(() => server?.kill());

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
    const error = await refusal(server, '/v1/chat/completions', body);
    expect(error).toMatchObject({ code: 'unsupported_schema', param: 'response_format.json_schema.schema' });
    const tools = `[{"type":"function","function":{"name":"f","parameters":${schema}}}]`;
    const call = `{"messages":[{"role":"user","content":"x"}],"tools":${tools},"tool_choice":"required"}`;
    const toolError = await refusal(server, '/v1/chat/completions', call);
    expect(toolError).toMatchObject({ code: 'unsupported_schema', param: 'tools[0].function.parameters' });
  });

  it('or other value that is nested too deeply for the template is refused', async () => {
    const messages = '"messages":[{"role":"user","content":"x"}]';
    const tools = `{${messages},"tools":[{"type":"function","function":{"name":"f","parameters":${deep}}}]}`;
    expect(await refusal(server, '/v1/chat/completions', tools)).toMatchObject({ code: 'template_failed' });
    const list = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(await refusal(server, '/v1/completions', `{"prompt":${list}}`)).toMatchObject({
      code: 'invalid_value',
    });
  });
});

it('leaves the server as it was', async () => {
  expect(await greedy(server, PROMPT)).toBe(before);
  await server.expectIdle();
  expect((await server.info()).ranks).toMatchObject([{ restarts: 0, state: 'ready' }]);
  expect(server.log).not.toMatch(/"level":[56]0/);
});
