import type { ServerContext } from '../context.ts';
import type { App } from '../typed-app.ts';

/** GET /metrics in Prometheus' text format */
export function registerMetrics(app: App, context: ServerContext, requireAuth: boolean): void {
  const { metrics, manager } = context;
  app.get(
    '/metrics',
    {
      config: { auth: requireAuth ? 'normal' : 'open' },
      schema: { tags: ['Health'], summary: 'Metrics for Prometheus' },
    },
    async (_request, reply) => {
      const { fleet } = manager;
      const text = await metrics.scrape(...(await Promise.all([fleet.inspect(), fleet.scrape()])));
      return reply.type(metrics.contentType).send(text);
    },
  );
}
