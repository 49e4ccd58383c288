import type { FastifyReply, FastifyRequest } from 'fastify';
import { failure } from '../../shared/errors.ts';
import type { AnswerToken, Finish } from '../../tokenizer-manager/answer.ts';
import type { Generation } from '../../tokenizer-manager/generation.ts';
import { abortWhenGone, collect, interleave, newId, noteTokens } from '../answering.ts';
import type { ServerContext } from '../context.ts';
import { sendEvents } from '../event-stream.ts';
import { completionLogprobs } from '../openai-logprobs.ts';
import { responseGrammar } from '../response-format.ts';
import { checkAnswers, fromOpenAi } from '../sampling.ts';
import { cacheUse } from '../schemas/cache-fields.ts';
import { CompletionBody } from '../schemas/completion.ts';
import { toTokens } from '../token-ids.ts';
import type { App } from '../typed-app.ts';
import { checkModel } from './models.ts';

/** OpenAI's default for a plain completion. */
const DEFAULT_MAX_TOKENS = 16;

/** POST /v1/completions */
export function registerCompletions(app: App, context: ServerContext): void {
  app.post(
    '/v1/completions',
    {
      config: { auth: 'normal' },
      schema: {
        tags: ['OpenAI'],
        summary: 'Continue a text, tokens, or a batch of either',
        body: CompletionBody,
      },
    },
    async (request, reply) => {
      const { body } = request;
      refuseUnsupported(body);
      checkModel(body.model, context);
      const generations = await startAll(body, request, context);
      abortWhenGone(reply, generations);
      const head = {
        id: newId('cmpl'),
        object: 'text_completion',
        created: now(),
        model: context.servedModel,
      };
      if (body.stream) return sendEvents(reply, stream(reply, body, generations, head, context));
      const answers = await collect(reply, generations);
      return {
        ...head,
        choices: answers.map(({ text, tokens, finish }, index) => ({
          index,
          text,
          logprobs: completionLogprobs(tokens, context.manager.vocabulary, 0),
          finish_reason: finish.reason,
          ...tokenIds(body, tokens),
        })),
        usage: context.cacheReporter.usage(
          generations,
          answers.map((answer) => answer.finish),
        ),
      };
    },
  );
}

async function startAll(
  body: CompletionBody,
  { id }: FastifyRequest,
  context: ServerContext,
): Promise<Generation[]> {
  const { manager } = context;
  const prompts = await tokenizeAll(body.prompt, context);
  if (prompts.length === 0) throw failure('empty_prompt', undefined, { param: 'prompt' });
  checkAnswers(prompts.length * (body.n ?? 1), 'n');
  const grammar = responseGrammar(body.response_format);
  const maxTokens = body.max_tokens ?? DEFAULT_MAX_TOKENS;
  const choice = {
    ...fromOpenAi(body, maxTokens, 'max_tokens', manager.contextLength, grammar),
    ...cacheUse(body),
  };
  const started: Generation[] = [];
  try {
    for (const prompt of prompts) {
      const topLogprobs = body.logprobs ?? undefined;
      started.push(
        manager.generate({ ...choice, id: body.rid ?? id, prompt, promptParam: 'prompt', topLogprobs }),
      );
    }
  } catch (error) {
    for (const generation of started) generation.abort();
    throw error;
  }
  return started;
}

async function tokenizeAll(
  prompt: CompletionBody['prompt'],
  { manager }: ServerContext,
): Promise<Int32Array[]> {
  const items = isBatch(prompt) ? prompt : [prompt];
  return Promise.all(
    items.map(async (item) =>
      typeof item === 'string'
        ? manager.vocabulary.tokenize(item, true, true)
        : toTokens(item, manager.vocabulary.size),
    ),
  );
}

function isBatch(prompt: CompletionBody['prompt']): prompt is string[] | number[][] {
  return Array.isArray(prompt) && typeof prompt[0] !== 'number';
}

async function* stream(
  reply: FastifyReply,
  body: CompletionBody,
  generations: readonly Generation[],
  head: object,
  context: ServerContext,
): AsyncGenerator<unknown> {
  const includeUsage = body.stream_options?.include_usage === true;
  const lengths: number[] = [];
  const finishes: Finish[] = [];
  for await (const { index, part } of interleave(generations)) {
    noteTokens(reply, generations, part);
    const offset = lengths[index] ?? 0;
    lengths[index] = offset + part.text.length;
    const logprobs = completionLogprobs(part.tokens, context.manager.vocabulary, offset);
    if (part.finish) finishes[index] = part.finish;
    const finish_reason = part.finish?.reason ?? null;
    const choice = { index, text: part.text, logprobs, finish_reason, ...tokenIds(body, part.tokens) };
    yield { ...head, choices: [choice], ...(includeUsage ? { usage: null } : {}) };
  }
  if (includeUsage) yield { ...head, choices: [], usage: context.cacheReporter.usage(generations, finishes) };
}

/** As in vLLM: in a stream those that are new. */
function tokenIds({ return_token_ids }: CompletionBody, tokens: readonly AnswerToken[]) {
  return return_token_ids ? { token_ids: tokens.map(({ id }) => id) } : {};
}

function refuseUnsupported(body: CompletionBody): void {
  const refuse = (name: string, hint: string) =>
    failure('unsupported_parameter', { name, hint }, { param: name });
  if (body.echo) throw refuse('echo', 'the prompt is not repeated in the answer.');
  if (body.suffix != null && body.suffix !== '') throw refuse('suffix', 'text is continued, not filled in.');
  if (body.best_of != null && body.best_of !== 1)
    throw refuse('best_of', "ask for several answers with 'n'.");
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
