import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startServer, type TestServer } from '../support/server.ts';

const question = 'What does a cache keep?';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

function chat(maxTokens: number): ChatOpenAI {
  return new ChatOpenAI({
    model: 'tierkv-tiny',
    apiKey: 'unused',
    temperature: 0,
    maxTokens,
    maxRetries: 0,
    configuration: { baseURL: `${server.url}/v1` },
  });
}

describe('LangChain', () => {
  it('invokes and streams the same answer', async () => {
    const whole = await chat(24).invoke(question);
    expect(whole.usage_metadata).toMatchObject({ output_tokens: 24 });
    let text = '';
    for await (const chunk of await chat(24).stream(question)) text += chunk.text;
    expect(text).toBe(whole.text);
  });

  it('gets values of a schema', async () => {
    const schema = z.object({ city: z.enum(['Oslo', 'Rome']), cold: z.boolean() });
    const value = await chat(200)
      .withStructuredOutput(schema, { method: 'jsonSchema', name: 'answer', strict: true })
      .invoke(question);
    expect(schema.parse(value)).toEqual(value);
  });

  it('calls tools', async () => {
    const weather = tool(() => 'cold', {
      name: 'weather',
      description: 'The weather of a city',
      schema: z.object({ city: z.enum(['Oslo', 'Rome']) }),
    });
    const answer = await chat(200).bindTools([weather], { tool_choice: 'weather' }).invoke(question);
    expect(answer.tool_calls).toMatchObject([
      { name: 'weather', args: { city: expect.stringMatching(/Oslo|Rome/) } },
    ]);
  });
});
