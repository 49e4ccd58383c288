import { failure } from '../shared/errors.ts';
import type { GenerationRequest } from '../tokenizer-manager/generation.ts';
import { schemaToGrammar } from '../tokenizer-manager/structured-output/schema-to-grammar.ts';
import type { SglangSampling } from './schemas/generate.ts';
import { MAX_ANSWERS_IN_ALL, type OpenAiSampling } from './schemas/openai-sampling.ts';

/** Everything of a generation but the prompt and who asks. */
export type SamplingChoice = Omit<GenerationRequest, 'id' | 'prompt' | 'promptParam' | 'topLogprobs'>;

/** A request's sampling fields, from OpenAI's names. `grammar` is what the API's own fields demand. */
export function fromOpenAi(
  body: OpenAiSampling,
  maxTokens: number | undefined,
  maxTokensParam: string,
  contextLength: number,
  grammar: string | undefined,
): SamplingChoice {
  checkMaxTokens(maxTokens, maxTokensParam, contextLength);
  return {
    answers: body.n ?? 1,
    stopStrings: listOf(body.stop),
    ignoreEndOfGeneration: body.ignore_eos ?? false,
    grammar,
    special: !(body.skip_special_tokens ?? true),
    keepStop: false,
    sampling: {
      logitBias: logitBias(body.logit_bias, 'logit_bias'),
      stopTokens: body.stop_token_ids ?? [],
      minTokens: body.min_tokens ?? 0,
      maxTokens,
      seed: seed32(body.seed),
      ...shaping(body),
    },
  };
}

/** SGLang's default for an answer's length. */
const SGLANG_MAX_NEW_TOKENS = 128;

/** The same from SGLang's names; `path` is where they stand in the body. */
export function fromSglang(params: SglangSampling, path: string, contextLength: number): SamplingChoice {
  const maxTokens = params.max_new_tokens ?? SGLANG_MAX_NEW_TOKENS;
  checkMaxTokens(params.max_new_tokens ?? undefined, `${path}.max_new_tokens`, contextLength);
  return {
    answers: params.n ?? 1,
    stopStrings: listOf(params.stop),
    ignoreEndOfGeneration: params.ignore_eos ?? false,
    grammar:
      params.json_schema == null ? undefined : grammarFromText(params.json_schema, `${path}.json_schema`),
    special: !(params.skip_special_tokens ?? true),
    keepStop: params.no_stop_trim ?? false,
    sampling: {
      logitBias: logitBias(params.logit_bias, `${path}.logit_bias`),
      stopTokens: params.stop_token_ids ?? [],
      minTokens: params.min_new_tokens ?? 0,
      maxTokens,
      seed: seed32(params.sampling_seed),
      ...shaping(params),
    },
  };
}

/** What both APIs call by the same names. */
function shaping(given: OpenAiSampling | SglangSampling) {
  return {
    repetitionPenalty: given.repetition_penalty ?? 1,
    frequencyPenalty: given.frequency_penalty ?? 0,
    presencePenalty: given.presence_penalty ?? 0,
    temperature: given.temperature ?? 1,
    topK: Math.max(0, given.top_k ?? 0),
    topP: given.top_p ?? 1,
    minP: given.min_p ?? 0,
  };
}

/** @throws `invalid_value` for a batch that would take the server for itself */
export function checkAnswers(count: number, param: string): void {
  if (count <= MAX_ANSWERS_IN_ALL) return;
  const reason = `The prompts and '${param}' ask for ${count} answers; ${MAX_ANSWERS_IN_ALL} is the most of one request.`;
  throw failure('invalid_value', { reason }, { param });
}

function checkMaxTokens(maxTokens: number | undefined, param: string, contextLength: number): void {
  if (maxTokens === undefined || maxTokens < contextLength) return;
  const reason = `'${param}' is ${maxTokens}, but this server's context length is ${contextLength} tokens, prompt included.`;
  throw failure('invalid_value', { reason }, { param });
}

function listOf(stop: string | string[] | null | undefined): string[] {
  return stop == null ? [] : Array.isArray(stop) ? stop : [stop];
}

/** The engine's generator takes 32 bits; OpenAI's seeds are integers of any size and sign. */
function seed32(seed: number | null | undefined): number | undefined {
  return seed == null ? undefined : Number(BigInt.asUintN(32, BigInt(seed)));
}

function logitBias(
  biases: Record<string, number> | null | undefined,
  param: string,
): { token: number; bias: number }[] {
  return Object.entries(biases ?? {}).map(([key, bias]) => {
    if (!/^\d{1,9}$/.test(key)) {
      throw failure(
        'invalid_value',
        { reason: `'${param}': '${key}' is not a token id.` },
        { param: `${param}.${key}` },
      );
    }
    return { token: Number(key), bias };
  });
}

function grammarFromText(text: string, param: string): string {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (cause) {
    throw failure('invalid_value', { reason: `'${param}' is not valid JSON.` }, { param, cause });
  }
  return schemaToGrammar(schema, { param });
}
