import OpenAI from 'openai';
import type { ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';

const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'Where is it colder?' }];
const chat = { model: 'tierkv-tiny', messages, max_tokens: 300 };

/** Every string ends soon: the model's own words have no end. */
const CITY = { type: 'string', enum: ['Oslo', 'Rome', 'Lima'] };
const object = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const tools: ChatCompletionTool[] = [
  { type: 'function', function: { name: 'weather', parameters: object({ city: CITY }) } },
  {
    type: 'function',
    function: {
      name: 'convert',
      parameters: object({ to: { enum: ['°C', '°F'] }, round: { type: 'boolean' } }),
    },
  },
  { type: 'function', function: { name: 'now' } },
];

let server: TestServer;
let openai: OpenAI;
beforeAll(async () => {
  server = await startServer();
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(() => server?.kill());

async function answerOf(options: object) {
  const { choices } = await openai.chat.completions.create({ ...chat, ...options, stream: false });
  return choices[0]!;
}

async function chunksOf(options: object): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of await openai.chat.completions.create({ ...chat, ...options, stream: true }))
    chunks.push(chunk);
  return chunks;
}

/** Adds the pieces of streamed calls up, as every client does. */
function callsOf(chunks: readonly ChatCompletionChunk[]): { id: string; name: string; arguments: string }[] {
  const calls: { id: string; name: string; arguments: string }[] = [];
  for (const piece of chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])) {
    calls[piece.index] ??= { id: piece.id ?? '', name: piece.function?.name ?? '', arguments: '' };
    calls[piece.index]!.arguments += piece.function?.arguments ?? '';
  }
  return calls;
}

describe('a response format', () => {
  it('json_object gives a JSON object', async () => {
    // Random words fill an object without end: only its beginning is certain.
    const { message } = await answerOf({ response_format: { type: 'json_object' }, max_tokens: 64 });
    expect(message.content).toMatch(/^\s*\{/);
  });

  it('text changes nothing', async () => {
    const answer = await answerOf({ response_format: { type: 'text' }, temperature: 0, max_tokens: 8 });
    expect(answer.message.content).toBe((await answerOf({ temperature: 0, max_tokens: 8 })).message.content);
  });

  it.each([
    ['an enum', CITY],
    ['an object', object({ city: CITY, warm: { type: 'boolean' }, sky: { const: 'grey' } })],
    ['a list', { type: 'array', items: CITY, minItems: 2, maxItems: 3 }],
    [
      'alternatives',
      { anyOf: [{ type: 'null' }, object({ code: { type: 'string', pattern: '^[A-Z]{3}-[0-9]{2}$' } })] },
    ],
    [
      'references',
      { $defs: { c: CITY }, ...object({ from: { $ref: '#/$defs/c' }, to: { $ref: '#/$defs/c' } }) },
    ],
    [
      'short words',
      object({ word: { type: 'string', maxLength: 12 }, age: { type: 'integer', minimum: 1, maximum: 120 } }),
    ],
  ])('json_schema gives %s', async (name, schema) => {
    const format = { type: 'json_schema', json_schema: { name: 'it', strict: true, schema } };
    for (const seed of [1, 2, 3]) {
      const { message, finish_reason } = await answerOf({ response_format: format, seed });
      expect(finish_reason).toBe('stop');
      const value: unknown = JSON.parse(message.content!);
      if (name === 'an enum') expect(CITY.enum).toContain(value);
      if (name === 'a list') expect((value as string[]).length).toSatisfy((n: number) => n === 2 || n === 3);
      if (name === 'an object') expect(value).toMatchObject({ sky: 'grey', warm: expect.any(Boolean) });
      if (name === 'alternatives' && value)
        expect(value).toEqual({ code: expect.stringMatching(/^[A-Z]{3}-\d\d$/) });
      if (name === 'references') expect(Object.keys(value as object)).toEqual(['from', 'to']);
      if (name === 'short words') expect((value as { word: string }).word.length).toBeLessThanOrEqual(24);
    }
    const chunks = await chunksOf({ response_format: format, seed: 1 });
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(() => JSON.parse(text)).not.toThrow();
  });

  it('works for several answers, and for plain completions', async () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'it', schema: CITY } };
    const body = { prompt: 'A city: ', n: 5, max_tokens: 40, response_format };
    const response = await server.post('/v1/completions', body);
    const { choices } = (await response.json()) as { choices: { text: string }[] };
    expect(choices).toHaveLength(5);
    for (const { text } of choices) expect(CITY.enum).toContain(JSON.parse(text));
  });

  it('that no value can satisfy is refused with its place', async () => {
    const schema = object({ city: { type: 'string', enum: [1, 2] } });
    const error: unknown = await answerOf({
      response_format: { type: 'json_schema', json_schema: { name: 'it', schema } },
    }).catch((error: unknown) => error);
    expect(error).toMatchObject({ status: 400, code: 'unsupported_schema' });
    expect((error as Error).message).toContain('#/properties/city');
  });
});

describe('tool_choice', () => {
  it('required makes a call of one of the tools', async () => {
    const { message, finish_reason } = await answerOf({ tools, tool_choice: 'required' });
    expect(finish_reason).toBe('tool_calls');
    expect(message).toMatchObject({ content: null, tool_calls: [{ type: 'function' }] });
    const call = message.tool_calls![0]!;
    if (call.type !== 'function') expect.unreachable();
    expect(tools.map((tool) => tool.type === 'function' && tool.function.name)).toContain(call.function.name);
    expect(() => JSON.parse(call.function.arguments)).not.toThrow();
  });

  it.each(['weather', 'convert', 'now'])('naming %s makes that call, streamed or not', async (name) => {
    const options = { tools, tool_choice: { type: 'function', function: { name } }, seed: 3 };
    const { message } = await answerOf(options);
    const call = message.tool_calls![0]!;
    if (call.type !== 'function') expect.unreachable();
    const value: unknown = JSON.parse(call.function.arguments);
    if (name === 'weather') expect(CITY.enum).toContain((value as { city: string }).city);
    if (name === 'convert') expect(value).toMatchObject({ round: expect.any(Boolean) });
    if (name === 'now') expect(value).toEqual({});
    const chunks = await chunksOf(options);
    const calls = callsOf(chunks);
    expect(calls).toMatchObject([{ name, arguments: call.function.arguments }]);
    expect(calls[0]!.id).toMatch(/^call_/);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('tool_calls');
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('');
  });

  it('required works for several answers at once', async () => {
    const { choices } = await openai.chat.completions.create({
      ...chat,
      tools,
      tool_choice: 'required',
      n: 4,
    });
    expect(choices.map((choice) => choice.finish_reason)).toEqual(Array(4).fill('tool_calls'));
    expect(new Set(choices.map(({ message }) => message.tool_calls![0]!.id)).size).toBe(4);
  });

  it('none hides the tools from the model', async () => {
    const without = await answerOf({ temperature: 0, max_tokens: 16 });
    const none = await answerOf({ tools, tool_choice: 'none', temperature: 0, max_tokens: 16 });
    expect(none.message).toEqual(without.message);
  });

  it('auto leaves it to the model, whatever that writes', async () => {
    const answers = [1, 2, 3, 4].map((seed) => answerOf({ tools, seed, max_tokens: 100, temperature: 2 }));
    for (const { message, finish_reason } of await Promise.all(answers)) {
      for (const call of message.tool_calls ?? [])
        if (call.type === 'function') expect(() => JSON.parse(call.function.arguments)).not.toThrow();
      // It may also say nothing, and end.
      if (!message.content && !message.tool_calls) expect(finish_reason).toBe('stop');
    }
    const chunks = await chunksOf({ tools, seed: 1, max_tokens: 100, temperature: 2 });
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toMatch(/length|stop|tool_calls/);
  });

  it('takes the results of calls back', async () => {
    const { message } = await answerOf({ tools, tool_choice: 'required' });
    const result = { role: 'tool', tool_call_id: message.tool_calls![0]!.id, content: '-3' };
    const next = await answerOf({ tools, messages: [...chat.messages, message, result], max_tokens: 8 });
    expect(next.finish_reason).toMatch(/length|stop/);
  });

  it.each([
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools, tool_choice: { type: 'function', function: { name: 'nosuch' } } }, 'tool_choice'],
    [{ tools, tool_choice: 'always' }, 'tool_choice'],
    [{ tools: [{ type: 'code' }] }, 'tools[0].function'],
    [{ tools: [{ type: 'function', function: { name: '' } }] }, 'tools[0].function.name'],
  ])('%# that makes no sense is refused', async (options, param) => {
    await expect(answerOf(options)).rejects.toMatchObject({ status: 400, param, code: 'invalid_value' });
  });
});
