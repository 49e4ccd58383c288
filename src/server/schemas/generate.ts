import { type Static, Type } from 'typebox';
import { ABOUT, CacheSalt, ExtraKey, Priority } from './cache-fields.ts';
import { MAX_BATCH } from './completion.ts';
import { MAX_ANSWERS, MAX_STOP_LENGTH, MAX_STOP_STRINGS, MAX_TOP_LOGPROBS } from './openai-sampling.ts';

const Optional = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]));
const StopString = Type.String({ maxLength: MAX_STOP_LENGTH });
const TokenIds = Type.Array(Type.Integer({ minimum: 0 }));
const Name = Type.String({ minLength: 1, maxLength: 256 });

/** SGLang's sampling parameters. A field that is not known here is refused, not ignored. */
export const SglangSampling = Type.Object(
  {
    max_new_tokens: Optional(Type.Integer({ minimum: 1 })),
    min_new_tokens: Optional(Type.Integer({ minimum: 0 })),
    stop: Optional(Type.Union([StopString, Type.Array(StopString, { maxItems: MAX_STOP_STRINGS })])),
    stop_token_ids: Optional(Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 1024 })),
    temperature: Optional(Type.Number({ minimum: 0, maximum: 100 })),
    top_p: Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
    top_k: Optional(Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1 })),
    min_p: Optional(Type.Number({ minimum: 0, maximum: 1 })),
    frequency_penalty: Optional(Type.Number({ minimum: -2, maximum: 2 })),
    presence_penalty: Optional(Type.Number({ minimum: -2, maximum: 2 })),
    repetition_penalty: Optional(Type.Number({ exclusiveMinimum: 0, maximum: 100 })),
    logit_bias: Optional(Type.Record(Type.String(), Type.Number({ minimum: -100, maximum: 100 }))),
    sampling_seed: Optional(
      Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    ),
    n: Optional(Type.Integer({ minimum: 1, maximum: MAX_ANSWERS })),
    ignore_eos: Optional(Type.Boolean()),
    skip_special_tokens: Optional(Type.Boolean()),
    spaces_between_special_tokens: Optional(Type.Boolean()),
    no_stop_trim: Optional(Type.Boolean()),
    json_schema: Optional(Type.String({ maxLength: 1 << 20 })),
  },
  { additionalProperties: false },
);
export type SglangSampling = Static<typeof SglangSampling>;

export const GenerateBody = Type.Object({
  text: Optional(Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: MAX_BATCH })])),
  input_ids: Optional(Type.Union([TokenIds, Type.Array(TokenIds, { maxItems: MAX_BATCH })])),
  sampling_params: Optional(
    Type.Union([SglangSampling, Type.Array(SglangSampling, { maxItems: MAX_BATCH })]),
  ),
  rid: Optional(Type.Union([Name, Type.Array(Name, { maxItems: MAX_BATCH })])),
  stream: Optional(Type.Boolean()),
  return_logprob: Optional(Type.Boolean()),
  top_logprobs_num: Optional(Type.Integer({ minimum: 0, maximum: MAX_TOP_LOGPROBS })),
  logprob_start_len: Optional(Type.Integer({ minimum: -1 })),
  return_text_in_logprobs: Optional(Type.Boolean()),
  cache_salt: Type.Optional(Type.Union([CacheSalt, Type.Null()], { description: ABOUT.cache_salt })),
  extra_key: Type.Optional(
    Type.Union([ExtraKey, Type.Array(ExtraKey, { maxItems: MAX_BATCH }), Type.Null()], {
      description: `${ABOUT.extra_key} One for all prompts, or one for each.`,
    }),
  ),
  priority: Type.Optional(Type.Union([Priority, Type.Null()], { description: ABOUT.priority })),
});
export type GenerateBody = Static<typeof GenerateBody>;
