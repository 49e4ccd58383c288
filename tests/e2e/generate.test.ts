import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STEADY_PROMPTS, startServer, type TestServer } from '../support/server.ts';

interface Answer {
  text: string;
  output_ids: number[];
  index?: number;
  meta_info: {
    id: string;
    finish_reason: { type: string; matched?: unknown } | null;
    prompt_tokens: number;
    completion_tokens: number;
    output_token_logprobs?: [number, number, string | null][];
    output_top_logprobs?: [number, number, string | null][][];
  };
}

const greedy = { temperature: 0, max_new_tokens: 16 };
const [TEXT, OTHER_TEXT] = STEADY_PROMPTS;

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

async function generate<T = Answer>(body: object): Promise<T> {
  const response = await server.post('/generate', { sampling_params: greedy, ...body });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** The events of a stream, which must end with `[DONE]`. */
async function events(body: object): Promise<Answer[]> {
  const response = await server.post('/generate', { sampling_params: greedy, stream: true, ...body });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const answers: Answer[] = [];
  const lines = createInterface({ input: Readable.fromWeb(response.body as ReadableStream) });
  for await (const line of lines) {
    if (line === 'data: [DONE]') return answers;
    if (line.startsWith('data: ')) answers.push(JSON.parse(line.slice(6)) as Answer);
  }
  return expect.unreachable('The stream ended early.');
}

async function tokenize(prompt: string): Promise<number[]> {
  return ((await (await server.post('/tokenize', { prompt })).json()) as { tokens: number[] }).tokens;
}

describe('/generate', () => {
  it('answers a text or its tokens', async () => {
    const ids = await tokenize(TEXT);
    const answer = await generate({ text: TEXT, rid: 'mine' });
    expect(answer.meta_info).toMatchObject({
      id: 'mine',
      finish_reason: { type: 'length', length: 16 },
      prompt_tokens: ids.length,
      completion_tokens: 16,
      cached_tokens: expect.any(Number),
      e2e_latency: expect.any(Number),
    });
    expect(answer.output_ids).toHaveLength(16);
    expect((await generate({ input_ids: ids })).output_ids).toEqual(answer.output_ids);
    expect(await (await server.post('/detokenize', { tokens: answer.output_ids })).json()).toEqual({
      text: answer.text,
    });
  });

  it('answers a batch in order, each with its own parameters', async () => {
    const texts = [TEXT, OTHER_TEXT];
    const single = await Promise.all(texts.map((text) => generate({ text })));
    const batch = await generate<Answer[]>({ text: texts });
    expect(batch.map(({ text }) => text)).toEqual(single.map(({ text }) => text));
    const own = await generate<Answer[]>({
      text: texts,
      rid: ['a', 'b'],
      sampling_params: [greedy, { ...greedy, max_new_tokens: 3 }],
    });
    expect(own.map(({ meta_info }) => [meta_info.id, meta_info.completion_tokens])).toEqual([
      ['a', 16],
      ['b', 3],
    ]);
    const ids = await Promise.all(texts.map(tokenize));
    expect((await generate<Answer[]>({ input_ids: ids })).map(({ text }) => text)).toEqual(
      single.map(({ text }) => text),
    );
    expect(await generate<Answer[]>({ text: TEXT, sampling_params: { ...greedy, n: 2 } })).toHaveLength(2);
  });

  it('streams the answer so far', async () => {
    const whole = await generate({ text: TEXT });
    const answers = await events({ text: TEXT });
    expect(answers.at(-1)).toMatchObject({ text: whole.text, output_ids: whole.output_ids });
    for (const [i, { text, output_ids, meta_info }] of answers.entries()) {
      expect(text.startsWith(answers[i - 1]?.text ?? '')).toBe(true);
      expect(meta_info.completion_tokens).toBe(output_ids.length);
      expect(meta_info.finish_reason === null).toBe(i < answers.length - 1);
    }
  });

  it('streams a batch with the index of each', async () => {
    const texts = [TEXT, OTHER_TEXT];
    const batch = await generate<Answer[]>({ text: texts });
    const answers = await events({ text: texts });
    for (const index of [0, 1])
      expect(answers.findLast((answer) => answer.index === index)!.text).toBe(batch[index]!.text);
  });

  it('returns logprobs as SGLang lists them', async () => {
    const { output_ids, meta_info } = await generate({
      text: TEXT,
      return_logprob: true,
      top_logprobs_num: 2,
      return_text_in_logprobs: true,
    });
    expect(meta_info.output_token_logprobs!.map(([, id]) => id)).toEqual(output_ids);
    for (const [i, [logprob, , text]] of meta_info.output_token_logprobs!.entries()) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(typeof text).toBe('string');
      expect(meta_info.output_top_logprobs![i]).toHaveLength(2);
    }
  });

  it('ends at a stop string, which stays when asked to', async () => {
    const { text } = await generate({ text: TEXT });
    const stop = text.slice(5, 12);
    const cut = await generate({ text: TEXT, sampling_params: { ...greedy, stop } });
    expect(cut).toMatchObject({
      text: text.slice(0, text.indexOf(stop)),
      meta_info: { finish_reason: { type: 'stop', matched: stop } },
    });
    const kept = await generate({ text: TEXT, sampling_params: { ...greedy, stop, no_stop_trim: true } });
    expect(kept.text).toBe(text.slice(0, text.indexOf(stop) + stop.length));
  });

  it('follows a JSON schema', async () => {
    const schema = JSON.stringify({ type: 'string', enum: ['Oslo', 'Rome'] });
    const { text } = await generate({
      text: TEXT,
      sampling_params: { max_new_tokens: 60, json_schema: schema },
    });
    expect(JSON.parse(text)).toMatch(/Oslo|Rome/);
  });

  it.each([
    [{ text: 'x', sampling_params: { temprature: 1 } }, 'sampling_params.temprature'],
    [{ text: ['x'], sampling_params: [{ regex: 'a' }] }, 'sampling_params[0].regex'],
    [{ text: 'x', sampling_params: { json_schema: '{' } }, 'sampling_params.json_schema'],
    [{ text: 'x', sampling_params: { n: 0 } }, 'sampling_params.n'],
    [{ text: ['x', 'y'], rid: ['a'] }, 'rid'],
    [{ text: ['x', 'y'], sampling_params: [{}] }, 'sampling_params'],
    [{ text: 'x', input_ids: [1] }, 'text'],
    [{}, 'text'],
  ])('refuses %j by name', async (body, param) => {
    const response = await server.post('/generate', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_value', param, message: expect.stringContaining(param) },
    });
  });
});

describe('/abort_request', () => {
  const long = { temperature: 0, max_new_tokens: 8000, ignore_eos: true };

  it('ends a request by its id with what it has', async () => {
    const [first, second] = [
      generate({ text: TEXT, rid: 'first', sampling_params: long }),
      generate({ text: TEXT, rid: 'second', sampling_params: long }),
    ];
    await expect.poll(async () => (await server.info()).in_flight, { interval: 5 }).toBe(2);
    expect(await (await server.post('/abort_request', { rid: 'first' })).json()).toEqual({ aborted: 1 });
    expect((await first).meta_info.finish_reason).toMatchObject({ type: 'abort' });
    expect((await server.info()).in_flight).toBe(1);
    expect(await (await server.post('/abort_request', { abort_all: true })).json()).toEqual({ aborted: 1 });
    const { meta_info, output_ids } = await second;
    expect(meta_info.finish_reason).toMatchObject({ type: 'abort' });
    expect(meta_info.completion_tokens).toBe(output_ids.length);
    await server.expectIdle();
  });

  it('ends a stream and a whole batch', async () => {
    const stream = events({ text: TEXT, rid: 'stream', sampling_params: long });
    const batch = generate<Answer[]>({ text: [TEXT, TEXT], rid: 'batch', sampling_params: long });
    await expect.poll(async () => (await server.info()).in_flight, { interval: 5 }).toBe(3);
    for (const rid of ['stream', 'batch_0', 'batch_1']) await server.post('/abort_request', { rid });
    expect((await stream).at(-1)!.meta_info.finish_reason).toMatchObject({ type: 'abort' });
    for (const { meta_info } of await batch) expect(meta_info.finish_reason).toMatchObject({ type: 'abort' });
    await server.expectIdle();
  });

  it('of nothing does nothing, and needs to know what', async () => {
    expect(await (await server.post('/abort_request', { rid: 'nosuch' })).json()).toEqual({ aborted: 0 });
    expect((await server.post('/abort_request', {})).status).toBe(400);
  });
});
