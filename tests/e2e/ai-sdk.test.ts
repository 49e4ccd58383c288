import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, generateText, jsonSchema, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startServer, type TestServer } from '../support/server.ts';

const KEY = 'sdk-key';
const prompt = 'What does a cache keep?';

let server: TestServer;
let model: ReturnType<ReturnType<typeof createOpenAICompatible>>;
beforeAll(async () => {
  server = await startServer(['--api-key', KEY]);
  const provider = createOpenAICompatible({
    name: 'tierkv',
    baseURL: `${server.url}/v1`,
    apiKey: KEY,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  model = provider('tierkv-tiny');
});
afterAll(() => server?.kill());

describe('the AI SDK', () => {
  it('generates and streams the same text', async () => {
    const whole = await generateText({ model, prompt, temperature: 0, maxOutputTokens: 24 });
    expect(whole.finishReason).toBe('length');
    expect(whole.usage).toMatchObject({ outputTokens: 24, inputTokens: expect.any(Number) });
    const stream = streamText({ model, prompt, temperature: 0, maxOutputTokens: 24 });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    expect(text).toBe(whole.text);
    expect(await stream.usage).toMatchObject({ outputTokens: 24 });
  });

  it('generates objects of a schema', async () => {
    const schema = z.object({ city: z.enum(['Oslo', 'Rome']), days: z.number().int().min(1).max(9) });
    const { object } = await generateObject({ model, schema, prompt });
    expect(schema.parse(object)).toEqual(object);
  });

  it('calls tools and goes on with their results', async () => {
    const weather = tool({
      description: 'The weather of a city',
      inputSchema: jsonSchema<{ city: string }>({
        type: 'object',
        properties: { city: { type: 'string', enum: ['Oslo', 'Rome'] } },
        required: ['city'],
        additionalProperties: false,
      }),
      execute: async ({ city }) => `${city}: -3`,
    });
    const options = { model, prompt, tools: { weather }, maxOutputTokens: 200 } as const;
    const { toolCalls, toolResults, finishReason } = await generateText({
      ...options,
      toolChoice: 'required',
    });
    expect(finishReason).toBe('tool-calls');
    expect(toolCalls).toMatchObject([
      { toolName: 'weather', input: { city: expect.stringMatching(/Oslo|Rome/) } },
    ]);
    expect(toolResults).toMatchObject([{ output: expect.stringContaining('-3') }]);
    const stream = streamText({ ...options, toolChoice: { type: 'tool', toolName: 'weather' } });
    expect(await stream.toolCalls).toMatchObject([{ toolName: 'weather' }]);
  });

  it('passes errors on as they are', async () => {
    const failing = generateText({ model, prompt, maxOutputTokens: 100_000, maxRetries: 0 });
    await expect(failing).rejects.toThrow("'max_tokens' is 100000");
  });
});
