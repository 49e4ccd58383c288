import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Probes and scrapes come every few seconds and say nothing. */
const QUIET = new Set(['/health', '/ready', '/metrics']);

/** One line per request when it has ended, with its token counts and times. */
export function logRequests(app: FastifyInstance): void {
  app.decorateRequest('tokenCounts', undefined);
  app.addHook('onRequest', async (request, reply) => {
    // Fastify's onResponse does not come when the client leaves.
    reply.raw.once('close', () => log(request, reply));
  });
}

function log(request: FastifyRequest, reply: FastifyReply): void {
  const finished = reply.raw.writableFinished;
  const line = {
    method: request.method,
    path: request.routeOptions.url ?? request.url.split('?', 1)[0],
    ...(finished ? { status: reply.statusCode } : {}),
    ms: Math.round(reply.elapsedTime),
    ...request.tokenCounts,
  };
  const quiet = QUIET.has(request.routeOptions.url ?? '');
  request.log[quiet ? 'debug' : 'info'](line, finished ? 'request' : 'client left');
}
