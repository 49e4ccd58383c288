import type { FastifyReply, FastifyRequest } from 'fastify';
import { failure } from '../../shared/errors.ts';
import type { AnswerToken, Finish } from '../../tokenizer-manager/answer.ts';
import { createToolCallParser, type Delta } from '../../tokenizer-manager/chat/tool-call-parser.ts';
import { detectToolForm, type ToolForm } from '../../tokenizer-manager/chat/tool-format.ts';
import { toolCallGrammar } from '../../tokenizer-manager/chat/tool-grammar.ts';
import type { Generation } from '../../tokenizer-manager/generation.ts';
import { abortWhenGone, collect, interleave, newId, noteTokens, type WholeAnswer } from '../answering.ts';
import type { ServerContext } from '../context.ts';
import { sendEvents } from '../event-stream.ts';
import { chatLogprobs } from '../openai-logprobs.ts';
import { responseGrammar } from '../response-format.ts';
import { fromOpenAi } from '../sampling.ts';
import { cacheUse } from '../schemas/cache-fields.ts';
import { ChatBody } from '../schemas/chat.ts';
import type { App } from '../typed-app.ts';
import { checkModel } from './models.ts';

/** How the answers of a request are read for tool calls; undefined when there are none to expect. */
interface ToolReading {
  form: ToolForm;
  names: string[];
}

interface Chat {
  generation: Generation;
  tools: ToolReading | undefined;
}

/** POST /v1/chat/completions */
export function registerChatCompletions(app: App, context: ServerContext): void {
  app.post(
    '/v1/chat/completions',
    {
      config: { auth: 'normal' },
      schema: { tags: ['OpenAI'], summary: 'Answer a conversation', body: ChatBody },
    },
    async (request, reply) => {
      const { body } = request;
      checkModel(body.model, context);
      const chat = await start(body, request, context);
      abortWhenGone(reply, [chat.generation]);
      const head = {
        id: newId('chatcmpl'),
        created: Math.floor(Date.now() / 1000),
        model: context.servedModel,
      };
      if (body.stream) {
        return sendEvents(
          reply,
          stream(reply, body, chat, { ...head, object: 'chat.completion.chunk' }, context),
        );
      }
      const answers = await collect(reply, [chat.generation]);
      return {
        ...head,
        object: 'chat.completion',
        choices: answers.map((answer, index) => ({ index, ...wholeChoice(answer, chat.tools, context) })),
        usage: context.cacheReporter.usage(
          [chat.generation],
          answers.map((answer) => answer.finish),
        ),
      };
    },
  );
}

async function start(body: ChatBody, { id }: FastifyRequest, context: ServerContext): Promise<Chat> {
  const { manager, chat } = context;
  if (!chat) throw failure('template_missing', undefined, { param: 'messages' });
  if (body.top_logprobs != null && !body.logprobs) {
    throw failure(
      'invalid_value',
      { reason: "'top_logprobs' needs 'logprobs': true." },
      { param: 'top_logprobs' },
    );
  }
  const tools = body.tool_choice === 'none' ? [] : (body.tools ?? []);
  const form = detectToolForm(chat.source);
  const grammar = grammarOf(body, form);
  const text = chat.template.render(body.messages, {
    tools: tools.length > 0 ? tools : undefined,
    addGenerationPrompt: true,
    extra: body.chat_template_kwargs ?? undefined,
  });
  // A template writes the begin token itself where the model wants one.
  const prompt = await manager.vocabulary.tokenize(text, false, true);
  const [maxTokens, maxTokensParam] =
    body.max_completion_tokens == null
      ? [body.max_tokens ?? undefined, 'max_tokens']
      : [body.max_completion_tokens, 'max_completion_tokens'];
  const generation = manager.generate({
    ...fromOpenAi(body, maxTokens, maxTokensParam, manager.contextLength, grammar),
    id: body.rid ?? id,
    prompt,
    promptParam: 'messages',
    ...cacheUse(body),
    topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
  });
  const names = tools.map((tool) => tool.function.name);
  return { generation, tools: form && names.length > 0 ? { form, names } : undefined };
}

/** What the answer must look like: a call that the client demands, or the response format. */
function grammarOf(body: ChatBody, form: ToolForm | undefined): string | undefined {
  const { tools, tool_choice: choice } = body;
  const demanded = choice === 'required' || (typeof choice === 'object' && choice !== null);
  if (!demanded) return responseGrammar(body.response_format);
  const param = 'tool_choice';
  if (!tools?.length)
    throw failure(
      'invalid_value',
      { reason: "'tool_choice' demands a call, but there are no 'tools'." },
      { param },
    );
  if (!form) {
    const hint = "the model's chat template has no form for tool calls that is known here.";
    throw failure('unsupported_parameter', { name: param, hint }, { param });
  }
  const callable = tools.map(({ function: { name, parameters } }, i) => ({
    name,
    parameters,
    param: `tools[${i}].function.parameters`,
  }));
  if (choice === 'required') return toolCallGrammar(form, callable);
  const named = callable.filter((tool) => tool.name === choice.function.name);
  if (named.length === 0) {
    throw failure(
      'invalid_value',
      { reason: `'tool_choice' names '${choice.function.name}', which is not in 'tools'.` },
      { param },
    );
  }
  return toolCallGrammar(form, named);
}

interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

function wholeChoice(
  { text, tokens, finish }: WholeAnswer,
  tools: ToolReading | undefined,
  context: ServerContext,
) {
  let content = text;
  const calls: ToolCall[] = [];
  if (tools) {
    content = '';
    const parser = createToolCallParser(tools.form, tools.names);
    for (const delta of [...parser.push(text), ...parser.end()]) {
      if (delta.type === 'content') content += delta.text;
      else if (delta.type === 'tool_call_start') {
        calls.push({ id: delta.id, type: 'function', function: { name: delta.name, arguments: '' } });
      } else {
        const call = calls[delta.index];
        if (call) call.function.arguments += delta.text;
      }
    }
  }
  const message = {
    role: 'assistant',
    content: calls.length > 0 && content === '' ? null : content,
    refusal: null,
  };
  return {
    message: calls.length > 0 ? { ...message, tool_calls: calls } : message,
    logprobs: chatLogprobs(tokens, context.manager.vocabulary),
    finish_reason: calls.length > 0 && finish.reason === 'stop' ? 'tool_calls' : finish.reason,
  };
}

async function* stream(
  reply: FastifyReply,
  body: ChatBody,
  { generation, tools }: Chat,
  head: object,
  { manager, cacheReporter }: ServerContext,
): AsyncGenerator<unknown> {
  const includeUsage = body.stream_options?.include_usage === true;
  const choices = generation.answers.map(() => new ChoiceStream(tools));
  // A token is reported with the next event, which may come later: its text can be held back.
  const unreported = generation.answers.map((): AnswerToken[] => []);
  const finishes: Finish[] = [];
  for await (const { index, part } of interleave([generation])) {
    noteTokens(reply, [generation], part);
    if (part.finish) finishes[index] = part.finish;
    const tokens = unreported[index] ?? [];
    tokens.push(...part.tokens);
    for (const { delta, finishReason } of choices[index]?.push(part.text, part.finish?.reason) ?? []) {
      const logprobs = chatLogprobs(tokens.splice(0), manager.vocabulary);
      const choice = { index, delta, logprobs, finish_reason: finishReason };
      yield { ...head, choices: [choice], ...(includeUsage ? { usage: null } : {}) };
    }
  }
  if (includeUsage) yield { ...head, choices: [], usage: cacheReporter.usage([generation], finishes) };
}

interface ChoiceEvent {
  delta: object;
  finishReason: string | null;
}

/** Turns the parts of one answer into OpenAI's deltas. */
class ChoiceStream {
  readonly #parser: ReturnType<typeof createToolCallParser> | undefined;
  #begun = false;
  #called = false;

  constructor(tools: ToolReading | undefined) {
    this.#parser = tools && createToolCallParser(tools.form, tools.names);
  }

  *push(text: string, finish: string | undefined): Generator<ChoiceEvent> {
    if (!this.#begun) {
      this.#begun = true;
      yield { delta: { role: 'assistant', content: '' }, finishReason: null };
    }
    const deltas = this.#parser?.push(text) ?? (text === '' ? [] : [{ type: 'content' as const, text }]);
    if (finish && this.#parser) deltas.push(...this.#parser.end());
    for (const delta of deltas) yield { delta: this.#describe(delta), finishReason: null };
    if (finish) yield { delta: {}, finishReason: this.#called && finish === 'stop' ? 'tool_calls' : finish };
  }

  #describe(delta: Delta): object {
    switch (delta.type) {
      case 'content':
        return { content: delta.text };
      case 'tool_call_start': {
        this.#called = true;
        const call = { name: delta.name, arguments: '' };
        return { tool_calls: [{ index: delta.index, id: delta.id, type: 'function', function: call }] };
      }
      case 'tool_call_arguments':
        return { tool_calls: [{ index: delta.index, function: { arguments: delta.text } }] };
      default:
        return delta satisfies never;
    }
  }
}
