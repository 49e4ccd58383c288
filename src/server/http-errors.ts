import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Failure } from '../shared/errors.ts';
import { failure, toFailure } from '../shared/errors.ts';
import { describeInvalid } from './invalid-fields.ts';

/** OpenAI's error body. */
export interface ErrorBody {
  error: {
    message: string;
    type: string;
    param: string | null;
    code: string;
    details?: Readonly<Record<string, unknown>>;
  };
}

/** Seconds after which a client should try again when the server is busy or a rank comes back. */
const RETRY_AFTER_SECONDS = 1;
/** What a refused client may go on sending, and for how long, before its answer goes out. */
const MOST_DRAINED_BYTES = 64 << 20;
const MOST_DRAINED_MS = 5_000;

export function errorBody({ message, type, param, code, details }: Failure): ErrorBody {
  return { error: { message, type, param: param ?? null, code, ...(details ? { details } : {}) } };
}

/** Turns everything that routes and fastify itself throw into OpenAI's shape. */
export function handleErrors(app: FastifyInstance, bodyLimit: number): void {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const known = translate(error, bodyLimit, request.headers['content-type']);
    // A client that left in the middle of a stream is no defect; its request's line says that it left.
    const left = error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    if (known.status === 500 && !left) request.log.error({ err: error }, known.message);
    if (known.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
    await drain(request.raw);
    return reply.code(known.status).send(errorBody(known));
  });
  app.setNotFoundHandler(sendNotFound);
}

export function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0] ?? '';
  const known = failure('route_not_found', { method: request.method, path });
  return reply.code(known.status).send(errorBody(known));
}

/** Answers what is no HTTP request, where there is somebody to answer. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const [status, reason] = BROKEN[error.code ?? ''] ?? ['400 Bad Request', 'This is no HTTP request.'];
    const body = JSON.stringify(errorBody(failure('invalid_value', { reason })));
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

const BROKEN: Partial<Record<string, [status: string, reason: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not arrive in time.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large.'],
};

/** A client that is still sending would see a broken connection instead of its answer. */
function drain(request: IncomingMessage): Promise<void> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (request.complete || request.destroyed || announced > MOST_DRAINED_BYTES) return Promise.resolve();
  return new Promise((resolve) => {
    let left = MOST_DRAINED_BYTES;
    const done = () => {
      clearTimeout(timer);
      request.off('data', count);
      resolve();
    };
    const count = (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) done();
    };
    const timer = setTimeout(done, MOST_DRAINED_MS);
    request.on('data', count).once('end', done).once('close', done).resume();
  });
}

function translate(error: FastifyError, bodyLimit: number, contentType: string | undefined): Failure {
  if (error.validation?.length) {
    const { reason, field } = describeInvalid(error.validation, error.validationContext ?? 'body');
    return failure('invalid_value', { reason }, field === undefined ? {} : { param: field });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return failure('body_too_large', { limit: bodyLimit });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return failure('unsupported_media_type', { got: contentType ?? 'a body of no type' });
    default:
      if (error.statusCode === 400)
        return failure('invalid_json', { reason: error.message }, { cause: error });
      return toFailure(error);
  }
}
