import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Address } from './completion-client.ts';
import { type Dialect, LLAMA, openAi } from './dialect.ts';
import { exactVocabulary, type Vocabulary, wordVocabulary } from './vocabulary.ts';
import { WORDS } from './words.ts';

const DEADLINE_MS = 10_000;
/** Fewer tokens than these make no texts that differ. */
const LEAST_TOKENS = 16;

/** Of vLLM, SGLang and TierKV with a count, of llama.cpp without. */
const Tokenized = Compile(
  Type.Object({
    tokens: Type.Array(Type.Integer({ minimum: 0 })),
    count: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
);
const Models = Compile(
  Type.Object({ data: Type.Array(Type.Object({ id: Type.String() }), { minItems: 1 }) }),
);

/** How a server is asked, and in which tokens. */
export interface Served {
  dialect: Dialect;
  vocabulary: Vocabulary;
  /** The tokens of a text; undefined where the server does not tell. */
  tokenize(text: string): Promise<readonly number[] | undefined>;
}

/** Finds out what a server can be asked. What it cannot, it does not have to: then words count as tokens. */
export async function lookAt(address: Address, signal: AbortSignal): Promise<Served> {
  const tokenized = await tokenizedBy(address, WORDS.join(''), signal);
  const ids = [...new Set(tokenized?.tokens)];
  const tokenize = async (text: string) => (await tokenizedBy(address, text, signal))?.tokens;
  if (ids.length >= LEAST_TOKENS && tokenized?.count === undefined)
    return { dialect: LLAMA, vocabulary: exactVocabulary(ids), tokenize };
  const models = await askJson(address, '/v1/models', undefined, signal);
  const dialect = openAi(Models.Check(models) ? models.data[0]?.id : undefined);
  const vocabulary = ids.length >= LEAST_TOKENS ? exactVocabulary(ids) : wordVocabulary();
  return { dialect, vocabulary, tokenize };
}

async function tokenizedBy(address: Address, text: string, signal: AbortSignal) {
  // The names of both kinds of server.
  const body = { prompt: text, content: text, add_special_tokens: false, add_special: false };
  const answer = await askJson(address, '/tokenize', body, signal);
  return Tokenized.Check(answer) ? answer : undefined;
}

/** Undefined when there is no answer, or none that is JSON. */
async function askJson(
  { url, apiKey }: Address,
  route: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    const response = await fetch(url + route, {
      method: body ? 'POST' : 'GET',
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      body: body && JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    });
    return response.ok ? await response.json() : undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Whether it answers, and has loaded what it serves. */
export async function isReady(address: Address, signal: AbortSignal): Promise<boolean> {
  const status = async (route: string) => {
    const authorization = address.apiKey === undefined ? undefined : `Bearer ${address.apiKey}`;
    const response = await fetch(address.url + route, {
      headers: authorization === undefined ? {} : { authorization },
      signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    });
    await response.body?.cancel();
    return response.status;
  };
  try {
    // Some have no such route; one that loads its model has it and says 503.
    return [200, 404].includes(await status('/health')) && (await status('/v1/models')) === 200;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
