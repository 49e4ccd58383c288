import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { toFailure } from '../shared/errors.ts';
import { errorBody } from './http-errors.ts';

/** How long a stream stays silent before a comment keeps proxies from closing it. */
const KEEP_ALIVE_MS = 15_000;
/** A client that takes nothing for so long is cut off. */
const STALLED_MS = 120_000;
/** How long the status line waits for the first event, so that a refusal gets its own status. */
const FIRST_EVENT_MS = 1_000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // Proxies such as nginx would collect the events.
  'x-accel-buffering': 'no',
};

/**
 * Answers with server-sent events, one per value, and `[DONE]` at the end. A failure before the first event is
 * thrown; later it is an event with OpenAI's error body, and the stream ends without `[DONE]`.
 */
export async function sendEvents(
  reply: FastifyReply,
  values: AsyncGenerator<unknown>,
): Promise<FastifyReply> {
  const first = values.next();
  // A rejection that nobody awaits yet must not end the process; it is met again below or in the stream.
  first.catch(() => undefined);
  await Promise.race([first, sleep(FIRST_EVENT_MS)]);
  if (reply.raw.destroyed) {
    // The client has gone. Fastify would take the stream's end for an error of the server.
    await values.return(undefined);
    return reply.hijack();
  }
  // On the response, not its socket: that one goes on to the next request with all its listeners.
  reply.raw.setTimeout(STALLED_MS, () => reply.raw.destroy());
  // One event at a time: what a slow client has not taken waits in the answer, not in a buffer here.
  const stream = Readable.from(encode(first, values), { highWaterMark: 1, objectMode: true });
  return reply.headers(HEADERS).send(stream);
}

async function* encode(
  first: Promise<IteratorResult<unknown>>,
  values: AsyncGenerator<unknown>,
): AsyncGenerator<string> {
  try {
    let next = first;
    for (;;) {
      const result = yield* withKeepAlive(next);
      if (result.done) break;
      yield `data: ${JSON.stringify(result.value)}\n\n`;
      next = values.next();
    }
    yield 'data: [DONE]\n\n';
  } catch (error) {
    yield `data: ${JSON.stringify(errorBody(toFailure(error)))}\n\n`;
  } finally {
    await values.return(undefined);
  }
}

/** Waits for a result; meanwhile yields a comment now and then. */
async function* withKeepAlive<T>(pending: Promise<T>): AsyncGenerator<string, T> {
  for (;;) {
    const timer = new AbortController();
    const silence = sleep(KEEP_ALIVE_MS, 'silence' as const, { signal: timer.signal }).catch(
      () => 'silence' as const,
    );
    const winner = await Promise.race([pending.then((value) => ({ value })), silence]).finally(() =>
      timer.abort(),
    );
    if (winner !== 'silence') return winner.value;
    yield ': keep-alive\n\n';
  }
}
