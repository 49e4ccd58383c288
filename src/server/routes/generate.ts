import type { FastifyReply } from 'fastify';
import { failure } from '../../shared/errors.ts';
import type { AnswerToken, Finish } from '../../tokenizer-manager/answer.ts';
import type { Generation } from '../../tokenizer-manager/generation.ts';
import { abortWhenGone, collect, interleave, newId, noteTokens, totalCached } from '../answering.ts';
import type { ServerContext } from '../context.ts';
import { sendEvents } from '../event-stream.ts';
import { checkAnswers, fromSglang } from '../sampling.ts';
import { cacheUse } from '../schemas/cache-fields.ts';
import { GenerateBody, type SglangSampling } from '../schemas/generate.ts';
import { toTokens } from '../token-ids.ts';
import type { App } from '../typed-app.ts';

/** POST /generate, as SGLang has it: streamed texts and ids are those of the whole answer so far. */
export function registerGenerate(app: App, context: ServerContext): void {
  app.post(
    '/generate',
    {
      config: { auth: 'normal' },
      schema: {
        tags: ['SGLang'],
        summary: 'Generate from text or token ids, one or a batch',
        body: GenerateBody,
      },
    },
    async (request, reply) => {
      const { body } = request;
      if (body.logprob_start_len != null && body.logprob_start_len !== -1) {
        const hint = 'logprobs are given for the answer, not for the prompt.';
        throw failure(
          'unsupported_parameter',
          { name: 'logprob_start_len', hint },
          { param: 'logprob_start_len' },
        );
      }
      const batch = await startBatch(body, context);
      const generations = batch.items.map((item) => item.generation);
      abortWhenGone(reply, generations);
      const report = new Reporter(body, batch, context, reply);
      if (body.stream) return sendEvents(reply, report.stream(generations));
      const answers = await collect(reply, generations);
      const whole = answers.map(({ text, tokens, finish }, index) =>
        report.describe(index, text, tokens, finish),
      );
      return batch.single && whole.length === 1 ? whole[0] : whole;
    },
  );
}

interface Batch {
  items: { generation: Generation; id: string }[];
  /** Whether the request was not a list. */
  single: boolean;
}

async function startBatch(body: GenerateBody, context: ServerContext): Promise<Batch> {
  const { manager } = context;
  const prompts = await promptsOf(body, context);
  const { single, param } = prompts;
  const choices = prompts.tokens.map((_, i) => {
    const { params, path } = paramsOf(body.sampling_params, i, prompts.tokens.length);
    const extraKey = extraKeyOf(body.extra_key, i, prompts.tokens.length);
    return {
      ...fromSglang(params, path, manager.contextLength),
      ...cacheUse({ ...body, extra_key: extraKey }),
    };
  });
  checkAnswers(
    choices.reduce((sum, { answers }) => sum + answers, 0),
    'sampling_params.n',
  );
  const items: Batch['items'] = [];
  try {
    for (const [i, prompt] of prompts.tokens.entries()) {
      const id = idOf(body.rid, i, prompts.tokens.length);
      const generation = manager.generate({
        ...choices[i]!,
        id,
        prompt,
        promptParam: param,
        topLogprobs: body.return_logprob ? (body.top_logprobs_num ?? 0) : undefined,
      });
      items.push({ generation, id });
    }
  } catch (error) {
    for (const { generation } of items) generation.abort();
    throw error;
  }
  return { items, single };
}

async function promptsOf(body: GenerateBody, { manager }: ServerContext) {
  const { text, input_ids: ids } = body;
  if ((text == null) === (ids == null)) {
    throw failure('invalid_value', { reason: "Give either 'text' or 'input_ids'." }, { param: 'text' });
  }
  if (text != null) {
    const texts = typeof text === 'string' ? [text] : text;
    if (texts.length === 0) throw failure('empty_prompt', undefined, { param: 'text' });
    const tokens = await Promise.all(texts.map((one) => manager.vocabulary.tokenize(one, true, true)));
    return { tokens, single: typeof text === 'string', param: 'text' };
  }
  const lists = ids ?? [];
  const single = isFlat(lists);
  const batch = single ? [lists] : (lists as number[][]);
  const tokens = batch.map((one) => toTokens(one, manager.vocabulary.size, 'input_ids'));
  return { tokens, single, param: 'input_ids' };
}

function isFlat(ids: number[] | number[][]): ids is number[] {
  return !Array.isArray(ids[0]);
}

function idOf(rid: GenerateBody['rid'], index: number, count: number): string {
  if (rid == null) return newId('req');
  if (typeof rid === 'string') return count === 1 ? rid : `${rid}_${index}`;
  const id = rid[index];
  if (rid.length !== count || id === undefined) {
    throw failure(
      'invalid_value',
      { reason: `'rid' names ${rid.length} requests, not ${count}.` },
      { param: 'rid' },
    );
  }
  return id;
}

function paramsOf(
  given: GenerateBody['sampling_params'],
  index: number,
  count: number,
): { params: SglangSampling; path: string } {
  if (!Array.isArray(given)) return { params: given ?? {}, path: 'sampling_params' };
  const params = given[index];
  if (given.length !== count || !params) {
    const reason = `'sampling_params' has ${given.length} entries for ${count} prompts.`;
    throw failure('invalid_value', { reason }, { param: 'sampling_params' });
  }
  return { params, path: `sampling_params[${index}]` };
}

function extraKeyOf(given: GenerateBody['extra_key'], index: number, count: number) {
  if (!Array.isArray(given)) return given;
  if (given.length !== count) {
    const reason = `'extra_key' has ${given.length} entries for ${count} prompts.`;
    throw failure('invalid_value', { reason }, { param: 'extra_key' });
  }
  return given[index];
}

/** Builds SGLang's answer objects. */
class Reporter {
  readonly #body: GenerateBody;
  readonly #batch: Batch;
  readonly #context: ServerContext;
  readonly #reply: FastifyReply;
  readonly #owners: { generation: Generation; id: string }[];

  constructor(body: GenerateBody, batch: Batch, context: ServerContext, reply: FastifyReply) {
    this.#body = body;
    this.#batch = batch;
    this.#context = context;
    this.#reply = reply;
    this.#owners = batch.items.flatMap((item) => item.generation.answers.map(() => item));
  }

  describe(index: number, text: string, tokens: readonly AnswerToken[], finish: Finish | undefined) {
    const owner = this.#owners[index];
    const details = finish && this.#context.cacheReporter.details(finish.cached);
    const meta = {
      id: owner?.id,
      finish_reason: finish ? finishReason(finish, tokens.length) : null,
      prompt_tokens: owner?.generation.promptTokens ?? 0,
      completion_tokens: tokens.length,
      cached_tokens: finish ? totalCached(finish.cached) : 0,
      ...(finish && details ? { cached_tokens_details: details } : {}),
      e2e_latency: this.#reply.elapsedTime / 1000,
      ...(this.#body.return_logprob ? this.#logprobs(tokens) : {}),
    };
    return { text, output_ids: tokens.map((token) => token.id), meta_info: meta };
  }

  async *stream(generations: readonly Generation[]): AsyncGenerator<unknown> {
    const soFar = this.#owners.map(() => ({ text: '', tokens: [] as AnswerToken[] }));
    for await (const { index, part } of interleave(generations)) {
      noteTokens(this.#reply, generations, part);
      const answer = soFar[index];
      if (!answer) continue;
      answer.text += part.text;
      answer.tokens.push(...part.tokens);
      const event = this.describe(index, answer.text, answer.tokens, part.finish);
      yield this.#batch.single && this.#owners.length === 1 ? event : { ...event, index };
    }
  }

  /** `[logprob, id, text or null]` per token, as SGLang lists them. */
  #logprobs(tokens: readonly AnswerToken[]) {
    const { vocabulary } = this.#context.manager;
    const withText = this.#body.return_text_in_logprobs ?? false;
    const entry = (logprob: number, id: number) => [
      logprob,
      id,
      withText ? Buffer.from(vocabulary.piece(id, true)).toString() : null,
    ];
    return {
      output_token_logprobs: tokens.map(({ id, logprobs }) => entry(logprobs?.logprob ?? 0, id)),
      output_top_logprobs: tokens.map(
        ({ logprobs }) => logprobs?.top.map(({ token, logprob }) => entry(logprob, token)) ?? null,
      ),
    };
  }
}

function finishReason(finish: Finish, length: number) {
  switch (finish.reason) {
    case 'stop':
      return finish.matched === undefined ? { type: 'stop' } : { type: 'stop', matched: finish.matched };
    case 'length':
      return { type: 'length', length };
    case 'abort':
      return { type: 'abort', message: 'Aborted' };
  }
}
