import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { Failure, failure, toFailure } from '../../shared/errors.ts';
import type { AttachChange, ClearScope, OperationMode } from '../../shared/storage-messages.ts';
import type { Caller, OperationOrder, OperationReport } from '../../tokenizer-manager/storage/operation.ts';
import { OperationFailure } from '../../tokenizer-manager/storage/rank-answers.ts';
import type { ServerContext } from '../context.ts';
import { ignoreBodies, parseStrictJson } from '../json-bodies.ts';
import { AttachBody, BreakerBody, ClearBody, DetachQuery } from '../schemas/storage-backend.ts';
import { reportJson, reportText, storageStatus } from '../storage-views.ts';
import { type App, withTypes } from '../typed-app.ts';

const TIMEOUT_S = 30;
const TAGS = { tags: ['Storage'] };
const CONTROL = { config: { auth: 'storage-control' } } as const;
const CLEARING = { config: { auth: 'admin-optional' } } as const;
const URL = '/hicache/storage-backend';
/** When the older paths were given up, as the header wants it (RFC 9745). */
const DEPRECATED_SINCE = '@1795046400';

const ATTACHED = 'HiCache storage backend attached.';
const NOT_ATTACHED = 'Failed to attach HiCache storage backend.';
const DETACHED = 'HiCache storage backend detached.';
const NOT_DETACHED = 'Failed to detach HiCache storage backend.';

/** The storage backend, from outside: /hicache/storage-backend, and the paths of SGLang's first drafts. */
export function registerStorageBackend(app: App, context: ServerContext): void {
  registerAttach(app, context);
  registerStatus(app, context);
  registerCheck(app, context);
  registerBreaker(app, context);
  void app.register(async (scope) => {
    ignoreBodies(scope);
    registerDetach(withTypes(scope), context);
  });
  void app.register(async (scope) => {
    parseStrictJson(scope, {});
    registerClear(withTypes(scope), context);
  });
}

function registerAttach(app: App, { storage, storageMode }: ServerContext): void {
  const schema = { ...TAGS, summary: 'Attach a storage backend, or change its settings', body: AttachBody };
  const handler: RouteHandlerMethod = async (request, reply) => {
    const body = request.body as AttachBody;
    const order = orderOf(request, body.mode ?? storageMode, body.timeout);
    return answer(reply, ATTACHED, NOT_ATTACHED, storage.attach(changeOf(body), order));
  };
  app.put(URL, { ...CONTROL, schema, handler });
  app.post('/attach_hicache_storage_backend', {
    ...CONTROL,
    schema: deprecated(schema),
    preHandler,
    handler,
  });
}

function registerDetach(app: App, { storage, storageMode }: ServerContext): void {
  const schema = { ...TAGS, summary: 'Detach the storage backend', querystring: DetachQuery };
  const handler: RouteHandlerMethod = async (request, reply) => {
    const { mode, timeout } = request.query as { mode?: OperationMode; timeout?: string };
    const order = orderOf(request, mode ?? storageMode, timeout === undefined ? null : Number(timeout));
    return answer(reply, DETACHED, NOT_DETACHED, storage.detach(order));
  };
  app.delete(URL, { ...CONTROL, schema, handler });
  app.post('/detach_hicache_storage_backend', {
    ...CONTROL,
    schema: deprecated(schema),
    preHandler,
    handler,
  });
}

function registerStatus(app: App, { storage }: ServerContext): void {
  const schema = { ...TAGS, summary: 'What is attached, and how every rank does with it' };
  const handler = async () => storageStatus(await storage.status(), storage.operation);
  app.get(URL, { ...CONTROL, schema, handler });
  app.get('/hicache_storage_backend', { ...CONTROL, schema: deprecated(schema), preHandler, handler });
}

function registerCheck(app: App, { storage }: ServerContext): void {
  const schema = { ...TAGS, summary: 'Try a storage backend out; changes nothing', body: AttachBody };
  app.post(`${URL}/check`, { ...CONTROL, schema }, async (request) => {
    const { body } = request;
    const { timeoutMs, by } = orderOf(request, 'live', body.timeout);
    const checks = await storage.check(changeOf(body), { timeoutMs, by });
    const failed = checks.find(({ ok }) => !ok);
    if (!failed) return { ok: true, checks };
    const params = { backend: body.hicache_storage_backend, check: failed.name, detail: failed.detail };
    throw failure('storage_check_failed', params, { details: { ok: false, checks } });
  });
}

function registerBreaker(app: App, { storage }: ServerContext): void {
  const schema = { ...TAGS, summary: 'Hold the breaker open, or let it decide', body: BreakerBody };
  app.post(`${URL}/breaker`, { ...CONTROL, schema }, async (request) => {
    const { state, timeout } = request.body;
    const { timeoutMs, by } = orderOf(request, 'live', timeout);
    const report = await storage.setBreakers(state, { timeoutMs, by });
    const line = state === 'open' ? 'The breaker is held open.' : 'The breaker opens and closes by itself.';
    return reportJson(line, report);
  });
}

function registerClear(app: App, { storage }: ServerContext): void {
  const schema = { ...TAGS, summary: 'Remove stored pages, on every rank' };
  const clear = async (request: FastifyRequest, scope: ClearScope, timeout: number | null | undefined) => {
    const { timeoutMs, by } = orderOf(request, 'live', timeout);
    const { ranks, milliseconds } = await storage.clear(scope, { timeoutMs, by });
    return {
      ok: true,
      scope,
      removed: ranks.reduce((sum, { removed }) => sum + removed, 0),
      duration_ms: Math.round(milliseconds),
      ranks: ranks.map(({ rank, removed }) => ({ rank, removed })),
    };
  };
  app.post(
    `${URL}/clear`,
    {
      ...CLEARING,
      schema: { ...schema, body: ClearBody },
      preValidation: async (request) => {
        request.body ??= {};
      },
    },
    (request) => clear(request, request.body.scope ?? 'model', request.body.timeout),
  );
  app.route({
    method: ['GET', 'POST'],
    url: '/clear_hicache_storage_backend',
    ...CLEARING,
    schema: deprecated(schema),
    preHandler,
    handler: (request) => clear(request, 'model', undefined),
  });
}

function orderOf(
  { keyName, ip, id }: FastifyRequest,
  mode: OperationMode,
  seconds: number | null | undefined,
): OperationOrder {
  const by: Caller = { key: keyName, address: ip, requestId: id };
  return { mode, timeoutMs: 1000 * (seconds ?? TIMEOUT_S), by };
}

function changeOf(body: AttachBody): AttachChange {
  const given = body.hicache_storage_backend_extra_config_json;
  const prefetchPolicy = body.hicache_storage_prefetch_policy;
  const writePolicy = body.hicache_write_policy;
  return {
    kind: 'attach',
    backend: body.hicache_storage_backend,
    ...(given == null ? {} : { config: typeof given === 'string' ? given : JSON.stringify(given) }),
    ...(prefetchPolicy == null ? {} : { prefetchPolicy }),
    ...(writePolicy == null ? {} : { writePolicy }),
    replace: body.switch ?? false,
    readThrough: body.read_through ?? 0,
    backfill: body.backfill ?? true,
  };
}

/** Text, as SGLang answers, unless the client asks for JSON. Failures begin with what SGLang says. */
async function answer(
  reply: FastifyReply,
  line: string,
  failedLine: string,
  operation: Promise<OperationReport>,
): Promise<unknown> {
  let report: OperationReport;
  try {
    report = await operation;
  } catch (error) {
    const known = toFailure(error);
    if (known.status >= 500 && known.code !== 'deadline_exceeded') throw known;
    const ranks = error instanceof OperationFailure ? error.ranks : [];
    const details = { ...known.details, ranks };
    throw new Failure(known.code, `${failedLine} ${known.message}`, { cause: known.cause, details });
  }
  if (/\bapplication\/json\b/.test(reply.request.headers.accept ?? '')) return reportJson(line, report);
  return reply.type('text/plain').send(reportText(line, report));
}

/** Says that a path is an older name of another one. */
async function preHandler(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.header('deprecation', DEPRECATED_SINCE).header('link', `<${URL}>; rel="successor-version"`);
}

function deprecated<S extends object>(schema: S): S & { deprecated: true } {
  return { ...schema, deprecated: true };
}
