import OpenAI from 'openai';
import type { Completion } from 'openai/resources';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

const greedy = { model: 'tierkv-tiny', prompt: STEADY_PROMPTS[0], temperature: 0, max_tokens: 24 } as const;

let server: TestServer;
let openai: OpenAI;
beforeAll(async () => {
  server = await startServer();
  openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'unused', maxRetries: 0 });
});
afterAll(() => server?.kill());

async function complete(options: object = {}): Promise<Completion> {
  return openai.completions.create({ ...greedy, ...options, stream: false });
}

async function text(options: object = {}): Promise<string> {
  return (await complete(options)).choices[0]!.text;
}

/** The texts of a streamed answer, by index. */
async function streamed(options: object): Promise<{ texts: string[]; chunks: Completion[] }> {
  const texts: string[] = [];
  const chunks: Completion[] = [];
  for await (const chunk of await openai.completions.create({ ...greedy, ...options, stream: true })) {
    chunks.push(chunk);
    for (const choice of chunk.choices) texts[choice.index] = (texts[choice.index] ?? '') + choice.text;
  }
  return { texts, chunks };
}

async function tokenize(prompt: string): Promise<number[]> {
  return ((await (await server.post('/tokenize', { prompt })).json()) as { tokens: number[] }).tokens;
}

describe('a completion', () => {
  it('has the shape of OpenAI’s, and 16 tokens unless asked otherwise', async () => {
    const answer = await complete({ max_tokens: undefined });
    expect(answer).toMatchObject({
      object: 'text_completion',
      choices: [{ index: 0, finish_reason: 'length', logprobs: null }],
      usage: { completion_tokens: 16 },
    });
    expect(answer.usage!.prompt_tokens).toBe((await tokenize(greedy.prompt)).length);
  });

  it('is the same for text and its tokens, streamed or not', async () => {
    const whole = await text();
    expect(await text({ prompt: await tokenize(greedy.prompt) })).toBe(whole);
    const { texts, chunks } = await streamed({ stream_options: { include_usage: true } });
    expect(texts).toEqual([whole]);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 24 } });
  });

  it('answers a batch of texts or tokens in order', async () => {
    const prompts = STEADY_PROMPTS.slice(0, 3);
    const single = await Promise.all(prompts.map((prompt) => text({ prompt })));
    const answer = await complete({ prompt: prompts });
    expect(answer.choices.map((choice) => choice.text)).toEqual(single);
    expect(answer.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const tokens = await Promise.all(prompts.map(tokenize));
    expect(answer.usage!.prompt_tokens).toBe(tokens.flat().length);
    expect((await complete({ prompt: tokens })).choices.map((choice) => choice.text)).toEqual(single);
    expect((await streamed({ prompt: prompts })).texts).toEqual(single);
    const twice = await complete({ prompt: prompts, n: 2, max_tokens: 2 });
    expect(twice.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('lists logprobs with their places in the text', async () => {
    const { choices } = await complete({ logprobs: 2, max_tokens: 8 });
    const { tokens, token_logprobs, top_logprobs, text_offset } = choices[0]!.logprobs!;
    expect(token_logprobs).toHaveLength(8);
    expect(top_logprobs![0]![tokens![0]!]).toBeCloseTo(token_logprobs![0]!, 5);
    expect(Object.keys(top_logprobs![0]!)).toHaveLength(2);
    expect(choices[0]!.text.slice(text_offset![2]).startsWith(tokens![2]!)).toBe(true);
  });

  it('streams the logprobs of every token once', async () => {
    const { chunks } = await streamed({ logprobs: 1, max_tokens: 8 });
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.tokens ?? [])).toHaveLength(8);
  });

  it('tells the ids of its tokens when it is asked to, streamed or not', async () => {
    const asked: object = { return_token_ids: true, max_tokens: 8 };
    const idsIn = ({ choices }: Completion) =>
      choices.flatMap((choice) => (choice as { token_ids?: number[] }).token_ids ?? []);
    const ids = idsIn(await complete(asked));
    expect(ids).toHaveLength(8);
    const { chunks } = await streamed(asked);
    expect(chunks.flatMap(idsIn)).toEqual(ids);
    const { text: said } = (await (await server.post('/detokenize', { tokens: ids })).json()) as {
      text: string;
    };
    expect(await text({ max_tokens: 8 })).toBe(said);
    expect(Object.keys((await complete()).choices[0]!)).not.toContain('token_ids');
  });

  it('penalises what it has said', async () => {
    const biased = { logit_bias: { 70: 20 } };
    expect(await text(biased)).toMatch(/^(.)\1{23}$/u);
    expect(await text({ ...biased, frequency_penalty: 2 })).not.toMatch(/^(.)\1{23}$/u);
    expect(await text({ presence_penalty: 2 })).not.toBe(await text({ presence_penalty: -2 }));
    // Below 1 it is a reward.
    expect(await text({ repetition_penalty: 0.01 })).not.toBe(await text());
  });

  it('draws from the k likeliest, the nucleus, or the likely ones alone', async () => {
    const whole = await text();
    for (const narrow of [{ top_k: 1 }, { top_p: 0.0001 }, { min_p: 1 }])
      expect(await text({ temperature: 1, ...narrow })).toBe(whole);
  });

  it('ends at a stop token, which it counts', async () => {
    const { choices, usage } = await complete({ logprobs: 0 });
    const response = await server.post('/generate', {
      text: greedy.prompt,
      sampling_params: { temperature: 0, max_new_tokens: 24 },
    });
    const { output_ids } = (await response.json()) as { output_ids: number[] };
    const stop = output_ids.find((id, i) => i > 3 && !output_ids.slice(0, i).includes(id))!;
    const ended = await complete({ stop_token_ids: [stop] });
    expect(ended.choices[0]!.finish_reason).toBe('stop');
    expect(ended.usage!.completion_tokens).toBe(output_ids.indexOf(stop) + 1);
    expect(choices[0]!.text.startsWith(ended.choices[0]!.text)).toBe(true);
    expect(usage!.completion_tokens).toBe(24);
  });

  it('takes null for every optional field', async () => {
    const nulls = [
      'max_tokens',
      'temperature',
      'top_p',
      'seed',
      'stop',
      'n',
      'logit_bias',
      'logprobs',
      'user',
    ];
    const body = { prompt: 'x', ...Object.fromEntries(nulls.map((name) => [name, null])), stream: null };
    expect((await server.post('/v1/completions', body)).status).toBe(200);
  });

  it.each([
    [{ echo: true }, 'echo'],
    [{ suffix: 'end' }, 'suffix'],
    [{ best_of: 3 }, 'best_of'],
  ])('refuses %j, which it cannot do', async (options, param) => {
    await expect(complete(options)).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param,
    });
  });
});

describe('the models', () => {
  it('are listed, and found by name', async () => {
    const { data } = await openai.models.list();
    expect(data).toMatchObject([{ id: 'tierkv-tiny', object: 'model', max_model_len: 8192 }]);
    expect(await openai.models.retrieve('tierkv-tiny')).toEqual(data[0]);
    await expect(openai.models.retrieve('gpt-4o')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });
});
