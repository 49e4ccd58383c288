import type { FastifyInstance } from 'fastify';

/** Probes and scrapes come every few seconds and say nothing. */
const QUIET = new Set(['/health', '/ready', '/metrics']);

/** One line per request when it has ended, with its token counts and times. */
export function logRequests(app: FastifyInstance): void {
  app.decorateRequest('tokenCounts', undefined);
  const line = (level: 'info' | 'debug', outcome: string) =>
    async function log(request: import('fastify').FastifyRequest, reply: import('fastify').FastifyReply) {
      request.log[level](
        {
          method: request.method,
          path: request.routeOptions.url ?? request.url.split('?', 1)[0],
          status: reply.statusCode,
          ms: Math.round(reply.elapsedTime),
          ...request.tokenCounts,
        },
        outcome,
      );
    };
  const info = line('info', 'request');
  const debug = line('debug', 'request');
  const gone = line('info', 'client left');
  app.addHook('onResponse', async (request, reply) => {
    if (QUIET.has(request.routeOptions.url ?? '')) return debug(request, reply);
    return reply.raw.writableFinished ? info(request, reply) : gone(request, reply);
  });
}
