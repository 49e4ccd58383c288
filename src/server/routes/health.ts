import { failure } from '../../shared/errors.ts';
import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

const PROBE_DEADLINE_MS = 20_000;

/** GET /health (alive), /ready (some rank serves), /health_generate (a token comes out) */
export function registerHealth(app: App, { manager }: ServerContext): void {
  const config = { auth: 'open' } as const;
  app.get(
    '/health',
    { config, schema: { tags: ['Health'], summary: 'The server process is alive' } },
    async () => ({
      status: 'ok',
    }),
  );
  app.get(
    '/ready',
    { config, schema: { tags: ['Health'], summary: 'At least one rank serves' } },
    async () => {
      const ranks = manager.fleet.ranks.map(({ index, state }) => ({ rank: index, state }));
      if (!ranks.some(({ state }) => state === 'ready')) throw failure('no_rank', undefined);
      return { status: 'ready', ranks };
    },
  );
  app.get(
    '/health_generate',
    { config: { auth: 'normal' }, schema: { tags: ['Health'], summary: 'Generates one token' } },
    async (request) => {
      const generation = manager.probe(request.id);
      const timer = setTimeout(
        () =>
          generation.fail(
            failure('deadline_exceeded', { what: 'One token', seconds: PROBE_DEADLINE_MS / 1000 }),
          ),
        PROBE_DEADLINE_MS,
      );
      try {
        for (const answer of generation.answers)
          for await (const part of answer.parts()) if (part.finish) break;
      } finally {
        clearTimeout(timer);
      }
      return { status: 'ok' };
    },
  );
}
