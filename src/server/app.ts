import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { failure } from '../shared/errors.ts';
import { newId } from './answering.ts';
import { guardRoutes, type Keys } from './auth.ts';
import type { ServerContext } from './context.ts';
import { answerBrokenRequest, handleErrors, sendNotFound } from './http-errors.ts';
import { parseStrictJson } from './json-bodies.ts';
import { logRequests } from './request-log.ts';
import { registerAbort } from './routes/abort.ts';
import { registerChatCompletions } from './routes/chat-completions.ts';
import { registerCompletions } from './routes/completions.ts';
import { registerFlushCache } from './routes/flush-cache.ts';
import { registerGenerate } from './routes/generate.ts';
import { registerHealth } from './routes/health.ts';
import { registerInfo } from './routes/info.ts';
import { registerMetrics } from './routes/metrics.ts';
import { registerModels } from './routes/models.ts';
import { registerStorageBackend } from './routes/storage-backend.ts';
import { registerTokenize } from './routes/tokenize.ts';
import { type App, withTypes } from './typed-app.ts';

export interface AppOptions extends Keys {
  /** Bytes. */
  bodyLimit: number;
  /** Whether there is /metrics. */
  metrics: boolean;
  metricsRequireAuth: boolean;
}

/** How long a client may take to send a request. */
const RECEIVE_MS = 300_000;

/** The HTTP side of the server, ready to listen. */
export async function createApp(context: ServerContext, options: AppOptions): Promise<App> {
  const app = withTypes(
    fastify({
      loggerInstance: context.log as FastifyBaseLogger,
      // One line per request of our own says more than fastify's two.
      logController: new LogController({ disableRequestLogging: true }),
      bodyLimit: options.bodyLimit,
      genReqId: () => newId('req'),
      requestIdHeader: 'x-request-id',
      forceCloseConnections: 'idle',
      requestTimeout: RECEIVE_MS,
      // Fastify's own answers have another shape.
      return503OnClosing: false,
      frameworkErrors: (_error, request, reply) => void sendNotFound(request, reply),
      clientErrorHandler: answerBrokenRequest,
      // What a client sends is refused or taken as it is, never turned into something else.
      ajv: {
        customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: false },
      },
    }),
  );
  // Schemas of answers are documentation; what a route returns leaves as it is.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  parseStrictJson(app);
  handleErrors(app, options.bodyLimit);
  logRequests(app);
  refuseWhenClosing(app);
  guardRoutes(app, options);
  await documentRoutes(app, context.version);
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });

  registerChatCompletions(app, context);
  registerCompletions(app, context);
  registerModels(app, context);
  registerGenerate(app, context);
  registerAbort(app, context);
  registerTokenize(app, context);
  registerHealth(app, context);
  registerInfo(app, context);
  registerFlushCache(app, context);
  registerStorageBackend(app, context);
  if (options.metrics) registerMetrics(app, context, options.metricsRequireAuth);
  return app;
}

function refuseWhenClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async () => {
    if (closing) throw failure('shutting_down', undefined);
  });
}

async function documentRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'TierKV', version, description: 'OpenAI- and SGLang-compatible LLM server.' },
    },
  });
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, auth: 'normal' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs' });
    docs.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  });
}
