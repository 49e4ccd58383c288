import { type Static, Type } from 'typebox';
import { ABOUT, CacheSalt, ExtraKey, Priority } from './cache-fields.ts';

/** Limits that keep one request from taking a server for itself. */
export const MAX_ANSWERS = 128;
/** Of all prompts of a request together. */
export const MAX_ANSWERS_IN_ALL = 1024;
export const MAX_STOP_STRINGS = 64;
export const MAX_STOP_LENGTH = 1024;
export const MAX_TOP_LOGPROBS = 20;

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T, description: string) =>
  Type.Optional(Type.Union([schema, Type.Null()], { description }));

const StopString = Type.String({ maxLength: MAX_STOP_LENGTH });

/** Fields that /v1/chat/completions and /v1/completions share. `null` means absent, as in OpenAI's API. */
export const OpenAiSampling = {
  model: Type.Optional(Type.String({ description: 'The served model; absent means that one.' })),
  stream: Nullable(Type.Boolean(), 'Send the answer as server-sent events while it is generated.'),
  stream_options: Nullable(
    Type.Object({ include_usage: Type.Optional(Type.Boolean()) }),
    'With include_usage, a last event carries the usage.',
  ),
  temperature: Nullable(
    Type.Number({ minimum: 0, maximum: 100 }),
    '0 chooses the likeliest token. Default 1.',
  ),
  top_p: Nullable(Type.Number({ exclusiveMinimum: 0, maximum: 1 }), 'Nucleus sampling. Default 1.'),
  top_k: Nullable(
    Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1 }),
    'The k likeliest tokens; -1 or 0 is all.',
  ),
  min_p: Nullable(
    Type.Number({ minimum: 0, maximum: 1 }),
    'Least probability relative to the likeliest token.',
  ),
  seed: Nullable(
    Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    'The same seed draws the same answer.',
  ),
  stop: Nullable(
    Type.Union([StopString, Type.Array(StopString, { maxItems: MAX_STOP_STRINGS })]),
    'Texts that end the answer; they are not part of it.',
  ),
  n: Nullable(Type.Integer({ minimum: 1, maximum: MAX_ANSWERS }), 'How many answers. Default 1.'),
  logit_bias: Nullable(
    Type.Record(Type.String(), Type.Number({ minimum: -100, maximum: 100 })),
    'Added to the logits, by token id.',
  ),
  frequency_penalty: Nullable(Type.Number({ minimum: -2, maximum: 2 }), 'Per occurrence in the answer.'),
  presence_penalty: Nullable(Type.Number({ minimum: -2, maximum: 2 }), 'Once for what the answer holds.'),
  repetition_penalty: Nullable(
    Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
    'Divides the logits of tokens in prompt and answer. Default 1.',
  ),
  min_tokens: Nullable(Type.Integer({ minimum: 0 }), 'The answer does not end before.'),
  stop_token_ids: Nullable(
    Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 1024 }),
    'Tokens that end the answer besides the model’s own.',
  ),
  ignore_eos: Nullable(Type.Boolean(), 'Go on after the model’s end of generation.'),
  skip_special_tokens: Nullable(Type.Boolean(), 'Leave control tokens out of the text. Default true.'),
  cache_salt: Nullable(CacheSalt, ABOUT.cache_salt),
  extra_key: Nullable(ExtraKey, ABOUT.extra_key),
  priority: Nullable(Priority, ABOUT.priority),
  rid: Nullable(
    Type.String({ minLength: 1, maxLength: 256 }),
    'The id under which the request can be aborted.',
  ),
  user: Nullable(Type.String(), 'Not used.'),
  response_format: Nullable(
    Type.Object({
      type: Type.Enum(['text', 'json_object', 'json_schema']),
      json_schema: Type.Optional(
        Type.Object({
          name: Type.Optional(Type.String()),
          description: Type.Optional(Type.String()),
          schema: Type.Unknown(),
          strict: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
        }),
      ),
    }),
    'Makes every answer valid JSON, or with type json_schema valid for a schema.',
  ),
};

const OpenAiSamplingObject = Type.Object(OpenAiSampling);
export type OpenAiSampling = Static<typeof OpenAiSamplingObject>;
