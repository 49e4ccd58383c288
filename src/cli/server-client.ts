import http from 'node:http';
import https from 'node:https';
import type { Static, TSchema } from 'typebox';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Failure, failure } from '../shared/errors.ts';
import { scrubAll } from '../shared/secrets.ts';

export interface ServerCall {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With its query. */
  route: string;
  body?: object;
  /** For all of it. */
  seconds: number;
  signal?: AbortSignal;
}

interface Answer {
  status: number;
  text: string;
}

const LONGEST_ANSWER = 16 << 20;

const ErrorAnswer = Compile(
  Type.Object({ error: Type.Object({ message: Type.String(), code: Type.String() }) }),
);
/** SGLang's, for missing and wrong keys. */
const KeyAnswer = Compile(Type.Object({ error: Type.String() }));

const REASONS: Partial<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the host',
};

/** Asks a running server. Not by `fetch`, which waits five minutes for an answer and no longer: a drain may take an hour. */
export class ServerClient {
  readonly #url: string;
  readonly #key: string | undefined;
  readonly #secrets: readonly string[];

  /**
   * @param url as {@link parseServerUrl} gives it
   * @param secrets texts that no answer may show, besides the key
   */
  constructor(url: string, key: string | undefined, secrets: readonly string[]) {
    this.#url = url;
    this.#key = key;
    this.#secrets = key === undefined ? secrets : [key, ...secrets];
  }

  /**
   * What the server answers, with fields that the schema does not know.
   *
   * @throws `server_refused`, whose details are the answer; `server_key_refused`, `server_unreachable`,
   *   `server_unknown`, `deadline_exceeded`
   */
  async ask<S extends TSchema>(call: ServerCall, schema: S): Promise<Static<S>> {
    const { status, text } = await this.#send(call);
    const answer = this.#parse(text, status);
    if (status === 200) {
      if (Compile(schema).Check(answer)) return answer;
      throw this.#unknown('its answer has another shape');
    }
    if (ErrorAnswer.Check(answer)) {
      const { message, code } = answer.error;
      throw failure(
        'server_refused',
        { message: oneLine(message), code: oneLine(code) },
        { details: answer },
      );
    }
    if ((status === 401 || status === 403) && KeyAnswer.Check(answer)) throw this.#keyRefused();
    throw this.#unknown(`status ${status}`);
  }

  async #send({ method, route, body, seconds, signal }: ServerCall): Promise<Answer> {
    const deadline = AbortSignal.timeout(seconds * 1000);
    const headers = {
      accept: 'application/json',
      ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
      ...(body ? { 'content-type': 'application/json' } : {}),
    };
    const options = { method, headers, signal: signal ? AbortSignal.any([signal, deadline]) : deadline };
    try {
      return await exchange(this.#url + route, options, body && JSON.stringify(body));
    } catch (error) {
      if (deadline.aborted)
        throw failure('deadline_exceeded', { what: `The answer of ${this.#url}`, seconds });
      throw this.#noAnswer(error);
    }
  }

  #parse(text: string, status: number): unknown {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw this.#unknown(`status ${status}, and no JSON`);
    }
    // Servers show no secrets; should one ever do, it is not seen here.
    return scrubAll(answer, this.#secrets);
  }

  #noAnswer(error: unknown): Failure {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code.startsWith('HPE_')) return this.#unknown('it does not speak HTTP');
    if (code === 'ERR_STREAM_TOO_LONG') return this.#unknown('its answer does not end');
    const reason = REASONS[code] ?? `the connection failed${code === '' ? '' : ` (${code})`}`;
    return failure('server_unreachable', { url: this.#url, reason });
  }

  #keyRefused(): Failure {
    const reason =
      this.#key === undefined
        ? 'asks for the admin API key: give it with --admin-api-key or TIERKV_ADMIN_API_KEY.'
        : 'refuses this admin API key.';
    return failure('server_key_refused', { url: this.#url, reason });
  }

  #unknown(reason: string): Failure {
    return failure('server_unknown', { url: this.#url, reason });
  }
}

/** @throws `bad_option`, without what was given: it may hold a password */
export function parseServerUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url && plain && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '');
  const reason = '--url must be an address such as http://127.0.0.1:30000, with nothing behind it.';
  throw failure('bad_option', { reason });
}

/** What a server says, without what would move the cursor of a terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}

async function exchange(
  url: string,
  options: http.RequestOptions,
  body: string | undefined,
): Promise<Answer> {
  const { request } = url.startsWith('https:') ? https : http;
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request(url, { ...options, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw Object.assign(new Error('too long'), { code: 'ERR_STREAM_TOO_LONG' });
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
