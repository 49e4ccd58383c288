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
  const stream = new EventStream();
  void stream.carry(first, values);
  return reply.headers(HEADERS).send(stream);
}

/** The text of the events. Written for every token of every answer: a timer or a promise too many is felt. */
class EventStream extends Readable {
  #taken: (() => void) | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor() {
    // One event at a time: what a slow client has not taken waits in the answer, not in a buffer here.
    super({ highWaterMark: 1 });
  }

  /** Takes one value after the other until there are no more, or nobody wants them. Never rejects. */
  async carry(first: Promise<IteratorResult<unknown>>, values: AsyncGenerator<unknown>): Promise<void> {
    this.#silence = setInterval(() => this.push(': keep-alive\n\n'), KEEP_ALIVE_MS);
    try {
      for (let result = await first; !result.done && !this.destroyed; result = await values.next())
        await this.#write(`data: ${JSON.stringify(result.value)}\n\n`);
      this.push('data: [DONE]\n\n');
    } catch (error) {
      this.push(`data: ${JSON.stringify(errorBody(toFailure(error)))}\n\n`);
    } finally {
      clearInterval(this.#silence);
      await values.return(undefined);
      this.push(null);
    }
  }

  override _read(): void {
    this.#taken?.();
    this.#taken = undefined;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#silence);
    this._read();
    done(error);
  }

  /** Resolves when the client has taken it. */
  #write(text: string): Promise<void> | undefined {
    this.#silence?.refresh();
    if (this.push(text) || this.destroyed) return undefined;
    return new Promise((resolve) => {
      this.#taken = resolve;
    });
  }
}
