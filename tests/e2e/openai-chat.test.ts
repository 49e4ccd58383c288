import OpenAI from 'openai';
import type { ChatCompletionChunk, ChatCompletionMessageParam } from 'openai/resources';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../support/server.ts';

const MODEL = 'tierkv-tiny';
const messages: ChatCompletionMessageParam[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'What does a cache keep?' },
];
const greedy = { model: MODEL, messages, temperature: 0, max_tokens: 32 } as const;

let server: TestServer;
let openai: OpenAI;
beforeAll(async () => {
  server = await startServer();
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(() => server?.kill());

async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function textOf(chunks: readonly ChatCompletionChunk[], index = 0): string {
  const choices = chunks.flatMap((chunk) => chunk.choices).filter((choice) => choice.index === index);
  return choices.map((choice) => choice.delta.content ?? '').join('');
}

async function text(options: object): Promise<string> {
  const answer = await openai.chat.completions.create({ ...greedy, ...options, stream: false });
  return answer.choices[0]!.message.content ?? '';
}

describe('a chat completion', () => {
  it('has the shape of OpenAI’s', async () => {
    const answer = await openai.chat.completions.create(greedy);
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: MODEL,
      choices: [{ index: 0, finish_reason: 'length', logprobs: null }],
      usage: { completion_tokens: 32, prompt_tokens_details: { cached_tokens: expect.any(Number) } },
    });
    expect(answer.id).toMatch(/^chatcmpl-/);
    const { prompt_tokens, completion_tokens, total_tokens } = answer.usage!;
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
  });

  it('streams the same text, with the role first and the reason last', async () => {
    const chunks = await collect(await openai.chat.completions.create({ ...greedy, stream: true }));
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-1)!.choices[0]).toMatchObject({ delta: {}, finish_reason: 'length' });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(textOf(chunks)).toBe(await text({}));
  });

  it('carries the usage in a last event when asked', async () => {
    const whole = await openai.chat.completions.create(greedy);
    const stream = await openai.chat.completions.create({
      ...greedy,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('gives n answers, which differ at a temperature and not at zero', async () => {
    const request = { ...greedy, n: 3, max_tokens: 12 } as const;
    const same = await openai.chat.completions.create(request);
    expect(new Set(same.choices.map(({ message }) => message.content)).size).toBe(1);
    expect(same.usage?.completion_tokens).toBe(36);
    const drawn = await openai.chat.completions.create({ ...request, temperature: 1.5, seed: 7 });
    expect(drawn.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Set(drawn.choices.map(({ message }) => message.content)).size).toBe(3);
    const chunks = await collect(await openai.chat.completions.create({ ...request, stream: true }));
    for (const { index, message } of same.choices) expect(textOf(chunks, index)).toBe(message.content);
  });

  it('repeats itself with a seed', async () => {
    const drawn = (seed: number | null) => text({ temperature: 1.2, seed });
    const answers = [await drawn(1), await drawn(1), await drawn(2), await drawn(-5), await drawn(0)];
    expect(answers[0]).toBe(answers[1]);
    expect(new Set(answers).size).toBe(4);
    expect(await drawn(null)).not.toBe(await drawn(null));
  });

  it('lists the likeliest tokens, streamed or not', async () => {
    const request = { ...greedy, max_tokens: 10, logprobs: true, top_logprobs: 3 } as const;
    const { choices } = await openai.chat.completions.create(request);
    const content = choices[0]!.logprobs!.content!;
    expect(content).toHaveLength(10);
    for (const { token, logprob, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3);
      expect(top_logprobs[0]).toMatchObject({ token, logprob });
      expect(logprob).toBeLessThanOrEqual(0);
    }
    const bytes = Buffer.from(content.flatMap((entry) => entry.bytes ?? []));
    expect(bytes.toString()).toBe(choices[0]!.message.content);
    const chunks = await collect(await openai.chat.completions.create({ ...request, stream: true }));
    const streamed = chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    expect(streamed.map(({ token }) => token)).toEqual(content.map(({ token }) => token));
  });

  it('streams the logprobs of text that is held back for a while', async () => {
    const whole = await text({ max_tokens: 16 });
    // Begins like a later part of the answer, so that text is held back, but never comes.
    const stop = whole
      .slice(4, 12)
      .split('')
      .map((_, i) => `${whole.slice(4 + i, 12)}\u0000`);
    const request = { ...greedy, max_tokens: 16, stop, logprobs: true, stream: true } as const;
    const chunks = await collect(await openai.chat.completions.create(request));
    expect(textOf(chunks)).toBe(whole);
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? [])).toHaveLength(16);
  });

  it('obeys a bias for or against a token', async () => {
    const { choices } = await openai.chat.completions.create({ ...greedy, max_tokens: 1, logprobs: true });
    const response = await server.post('/tokenize', { prompt: choices[0]!.message.content! });
    const { tokens } = (await response.json()) as { tokens: number[] };
    const likeliest = tokens[0]!;
    expect(await text({ max_tokens: 1, logit_bias: { [likeliest]: -100 } })).not.toBe(
      choices[0]!.message.content,
    );
    expect(await text({ max_tokens: 3, logit_bias: { 70: 100 } })).toMatch(/^(.)\1\1$/u);
  });

  it('takes max_completion_tokens and content in parts', async () => {
    const parts = [{ type: 'text', text: 'What does a cache keep?' }] as const;
    expect(
      await text({
        max_tokens: undefined,
        max_completion_tokens: 32,
        messages: [messages[0], { role: 'user', content: parts }],
      }),
    ).toBe(await text({}));
  });
});

describe('a stop string', () => {
  it.each([
    ['inside of the text', 6, 9],
    ['across many tokens', 3, 30],
    ['at the beginning', 0, 4],
  ])('%s ends the answer and is no part of it', async (_, from, to) => {
    const whole = await text({});
    const stop = whole.slice(from, to);
    const expected = whole.slice(0, whole.indexOf(stop));
    const answer = await openai.chat.completions.create({ ...greedy, stop });
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: expected } });
    const chunks = await collect(await openai.chat.completions.create({ ...greedy, stop, stream: true }));
    expect(textOf(chunks)).toBe(expected);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop');
    await server.expectIdle();
  });

  it('does nothing when it never comes', async () => {
    expect(await text({ stop: ['\u0001\u0002', `${(await text({})).slice(5, 8)}\u0001`] })).toBe(
      await text({}),
    );
  });
});

describe('a chat request that cannot be served', () => {
  const failing = (options: object) =>
    openai.chat.completions.create({ ...greedy, ...options }).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    );

  it.each([
    [{ temperature: -1 }, 'temperature'],
    [{ top_logprobs: 3 }, 'top_logprobs'],
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    [{ n: 0 }, 'n'],
    [{ stop: [5] }, 'stop[0]'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
    [{ response_format: { type: 'yaml' } }, 'response_format.type'],
    [{ tool_choice: { type: 'function' } }, 'tool_choice.function'],
    [{ max_tokens: 100_000 }, 'max_tokens'],
  ])('%j is refused by name', async (options, param) => {
    const error = (await failing(options)) as InstanceType<typeof OpenAI.APIError>;
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ param, code: 'invalid_value', type: 'invalid_request_error' });
    expect(error.message).toContain(param);
  });

  it('names a model that is not served', async () => {
    const error = await failing({ model: 'gpt-4o' });
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
  });
});

describe('a client that leaves', () => {
  it('frees everything that its stream held', async () => {
    const controller = new AbortController();
    const request = { ...greedy, max_tokens: 4000, n: 4, stream: true } as const;
    const stream = await openai.chat.completions.create(request, { signal: controller.signal });
    for await (const _ of stream) break;
    controller.abort();
    await server.expectIdle();
  });

  it('frees everything that its request held', async () => {
    const controller = new AbortController();
    const request = { ...greedy, max_tokens: 4000, n: 4 } as const;
    const answer = openai.chat.completions.create(request, { signal: controller.signal });
    await expect.poll(async () => (await server.info()).in_flight, { interval: 5 }).toBe(4);
    controller.abort();
    await expect(answer).rejects.toThrow(OpenAI.APIUserAbortError);
    await server.expectIdle();
  });
});
