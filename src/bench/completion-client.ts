import http from 'node:http';
import https from 'node:https';
import { AnswerStream, messageOf } from './answer-stream.ts';

const LONGEST_REFUSAL = 10_000;

export interface Address {
  url: string;
  apiKey: string | undefined;
}

/** A request that was not answered to its end; the message is the reason. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** Connections are kept: opening one is no part of what is measured. */
const AGENTS = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

/**
 * Posts a body and reads the events that come back. Not by `fetch`, which gives up after five silent minutes.
 *
 * @throws {@link Unanswered}, or the reason of the signal
 */
export async function streamAnswer(
  { url, apiKey }: Address,
  route: string,
  body: object,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<AnswerStream> {
  const deadline = AbortSignal.timeout(seconds * 1000);
  try {
    const response = await post(
      url + route,
      apiKey,
      JSON.stringify(body),
      AbortSignal.any([signal, deadline]),
    );
    if (response.statusCode !== 200) throw await refusalOf(response);
    const answer = new AnswerStream();
    response.setEncoding('utf8');
    for await (const chunk of response as AsyncIterable<string>) answer.push(chunk, performance.now());
    if (answer.problem !== undefined) throw new Unanswered(answer.problem);
    if (!answer.complete) throw new Unanswered('the stream ends before the answer does');
    if (answer.arrivals.length === 0) throw new Unanswered('the answer has no token');
    return answer;
  } catch (error) {
    if (error instanceof Unanswered) throw error;
    signal.throwIfAborted();
    if (deadline.aborted) throw new Unanswered(`no end within ${seconds} s`);
    throw new Unanswered(`the connection failed (${codeOf(error)})`, { cause: error });
  }
}

function post(
  address: string,
  apiKey: string | undefined,
  body: string,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const kind = address.startsWith('https:') ? 'https' : 'http';
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  const { request } = kind === 'https' ? https : http;
  const once = (agent: http.Agent | false) =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      const call = request(address, { method: 'POST', headers, signal, agent }, resolve);
      call.on('error', (error) => {
        // Some servers close a connection that was to be kept: llama.cpp's does so after a stream.
        if (call.reusedSocket && !signal.aborted) resolve(once(false));
        else reject(error);
      });
      call.end(body);
    });
  return once(AGENTS[kind]);
}

async function refusalOf(response: http.IncomingMessage): Promise<Unanswered> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>)
    if (text.length < LONGEST_REFUSAL) text += chunk;
  return new Unanswered(`status ${response.statusCode}${explained(text)}`);
}

function explained(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : body;
    return `: ${messageOf(error)}`;
  } catch {
    return '';
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
