import { type Static, Type } from 'typebox';
import { MAX_TOP_LOGPROBS, OpenAiSampling } from './openai-sampling.ts';

const Optional = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }));

/** Prompts in one request: each is generated for on its own. */
export const MAX_BATCH = 256;

export const CompletionBody = Type.Object({
  ...OpenAiSampling,
  prompt: Type.Union([
    Type.String(),
    TokenIds,
    Type.Array(Type.String(), { maxItems: MAX_BATCH }),
    Type.Array(TokenIds, { maxItems: MAX_BATCH }),
  ]),
  max_tokens: Optional(Type.Integer({ minimum: 1 })),
  logprobs: Optional(Type.Integer({ minimum: 0, maximum: MAX_TOP_LOGPROBS })),
  return_token_ids: Optional(Type.Boolean()),
  echo: Type.Optional(Type.Unknown()),
  suffix: Type.Optional(Type.Unknown()),
  best_of: Type.Optional(Type.Unknown()),
});
export type CompletionBody = Static<typeof CompletionBody>;
