import type { FastifyError, FastifyInstance } from 'fastify';
import type { Failure } from '../shared/errors.ts';
import { failure, toFailure } from '../shared/errors.ts';

/** OpenAI's error body. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string };
}

/** Seconds after which a client should try again when the server is busy or a rank comes back. */
const RETRY_AFTER_SECONDS = 1;

export function errorBody({ message, type, param, code }: Failure): ErrorBody {
  return { error: { message, type, param: param ?? null, code } };
}

/** Turns everything that routes and fastify itself throw into OpenAI's shape. */
export function handleErrors(app: FastifyInstance, bodyLimit: number): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = translate(error, bodyLimit, request.headers['content-type']);
    if (known.status >= 500) request.log.error({ err: error }, known.message);
    if (known.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
    return reply.code(known.status).send(errorBody(known));
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const known = failure('route_not_found', { method: request.method, path });
    return reply.code(known.status).send(errorBody(known));
  });
}

function translate(error: FastifyError, bodyLimit: number, contentType: string | undefined): Failure {
  const [invalid] = error.validation ?? [];
  if (invalid) {
    const field = fieldOf(invalid.instancePath, invalid.params);
    const place = error.validationContext === 'body' ? '' : ` in the ${error.validationContext}`;
    const reason = field
      ? `'${field}'${place}: ${explain(invalid)}`
      : `The ${error.validationContext} ${explain(invalid)}`;
    return failure('invalid_value', { reason: `${reason}.` }, { param: field });
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

interface Invalid {
  keyword: string;
  params: Record<string, unknown>;
  message?: string;
}

function explain({ keyword, params, message }: Invalid): string {
  if (keyword === 'enum' && Array.isArray(params.allowedValues))
    return `must be one of ${params.allowedValues.join(', ')}`;
  if (keyword === 'required') return 'is required';
  if (keyword === 'additionalProperties') return 'is not known here';
  return message ?? 'is not valid';
}

/** `/messages/0/content` as `messages[0].content`, with the missing or unknown key of its object. */
function fieldOf(instancePath: string, params: Record<string, unknown>): string {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const extra = params.missingProperty ?? params.additionalProperty;
  if (typeof extra === 'string') parts.push(extra);
  return parts.reduce(
    (path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path ? `${path}.${part}` : part),
    '',
  );
}
