import { Type } from 'typebox';
import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

/** Timers take 31 bits of milliseconds. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

const Query = Type.Object({
  timeout: Type.Optional(
    Type.String({ pattern: '^\\d+(\\.\\d+)?$', description: 'Seconds to wait for idle; default 0.' }),
  ),
});

/** GET and POST /flush_cache: needs an idle server, or waits for one. */
export function registerFlushCache(app: App, { manager }: ServerContext): void {
  app.route({
    method: ['GET', 'POST'],
    url: '/flush_cache',
    config: { auth: 'admin-optional' },
    schema: { tags: ['SGLang'], summary: 'Drop everything that is cached on the server', querystring: Query },
    handler: async ({ query }, reply) => {
      await manager.flush(Math.min(Number(query.timeout ?? 0) * 1000, LONGEST_WAIT_MS));
      return reply.type('text/plain').send('Cache flushed.\n');
    },
  });
}
