import { type Static, Type } from 'typebox';
import { MAX_TOP_LOGPROBS, OpenAiSampling } from './openai-sampling.ts';

const Optional = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const ToolCall = Type.Object({
  id: Type.Optional(Type.String()),
  type: Type.Optional(Type.Literal('function')),
  function: Type.Object({ name: Type.String(), arguments: Type.String() }),
});

/** A message with a role of any name: which roles there are is the chat template's business. */
const Message = Type.Object({
  role: Type.String({ minLength: 1 }),
  content: Optional(
    Type.Union([
      Type.String(),
      Type.Array(Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) })),
    ]),
  ),
  name: Type.Optional(Type.String()),
  tool_calls: Optional(Type.Array(ToolCall)),
  tool_call_id: Type.Optional(Type.String()),
});

const Tool = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 256 }),
    description: Type.Optional(Type.String()),
    parameters: Type.Optional(Type.Unknown()),
    strict: Optional(Type.Boolean()),
  }),
});

export const ChatBody = Type.Object({
  ...OpenAiSampling,
  messages: Type.Array(Message, { minItems: 1 }),
  max_tokens: Optional(Type.Integer({ minimum: 1 })),
  max_completion_tokens: Optional(Type.Integer({ minimum: 1 })),
  logprobs: Optional(Type.Boolean()),
  top_logprobs: Optional(Type.Integer({ minimum: 0, maximum: MAX_TOP_LOGPROBS })),
  tools: Optional(Type.Array(Tool, { maxItems: 128 })),
  tool_choice: Optional(
    Type.Union([
      Type.Enum(['none', 'auto', 'required']),
      Type.Object({ type: Type.Literal('function'), function: Type.Object({ name: Type.String() }) }),
    ]),
  ),
  chat_template_kwargs: Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type ChatBody = Static<typeof ChatBody>;
