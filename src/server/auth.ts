import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { failure } from '../shared/errors.ts';

/**
 * What a route asks of its caller.
 *
 * - `open`: nothing
 * - `normal`: the API key, where there is one
 * - `admin-optional`: the admin key where there is one, else the API key where there is one
 * - `storage-control`: the admin key; without one configured it says so to whom it would serve otherwise (SGLang's rule)
 * - `admin-force`: the admin key; without one configured nobody may
 */
export type AuthLevel = 'open' | 'normal' | 'admin-optional' | 'storage-control' | 'admin-force';

declare module 'fastify' {
  interface FastifyContextConfig {
    auth?: AuthLevel;
  }
  interface FastifyRequest {
    /** The name of the key that it came with; never the key. */
    keyName: KeyName;
  }
}

type KeyName = 'admin-api-key' | 'api-key' | 'none';

export interface Keys {
  apiKey: string | undefined;
  adminApiKey: string | undefined;
}

export type Verdict = 'allow' | 'unauthorized' | 'forbidden' | 'no-admin-key';

/** Decides for a level, the configured keys and the token that came with the request. Pure. */
export function decide(level: AuthLevel, keys: Keys, token: string | undefined): Verdict {
  const needs = (key: string | undefined): Verdict =>
    key === undefined || sameKey(key, token) ? 'allow' : 'unauthorized';
  switch (level) {
    case 'open':
      return 'allow';
    case 'normal':
      return needs(keys.apiKey);
    case 'admin-optional':
      return needs(keys.adminApiKey ?? keys.apiKey);
    case 'storage-control':
      if (keys.adminApiKey !== undefined) return needs(keys.adminApiKey);
      return needs(keys.apiKey) === 'allow' ? 'no-admin-key' : 'unauthorized';
    case 'admin-force':
      return keys.adminApiKey === undefined ? 'forbidden' : needs(keys.adminApiKey);
  }
}

/** `Authorization: Bearer x`, whatever the case of the scheme, or `x-api-key: x`. */
function tokenOf(request: FastifyRequest): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const plain = request.headers['x-api-key'];
  return bearer ?? (Array.isArray(plain) ? plain[0] : plain);
}

/** Guards every route by its level. A server with a route that declares none does not start. */
export function guardRoutes(app: FastifyInstance, keys: Keys): void {
  const undeclared: string[] = [];
  const routes: { url: string; config?: { auth?: AuthLevel } | undefined }[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onReady', async () => {
    for (const { url, config } of routes) if (!config?.auth) undeclared.push(url);
    if (undeclared.length > 0)
      throw new Error(`These routes declare no auth level: ${undeclared.join(', ')}`);
  });
  app.decorateRequest('keyName', 'none');
  const guard: onRequestHookHandler = (request, reply, done) => {
    // What matches no route is answered by the 404 handler, for everybody.
    const level = request.is404 ? 'open' : request.routeOptions.config.auth;
    const token = tokenOf(request);
    request.keyName = nameOf(keys, token);
    const verdict = level ? decide(level, keys, token) : 'forbidden';
    if (verdict === 'allow') return done();
    if (verdict === 'no-admin-key') return done(failure('admin_key_missing', undefined));
    const [status, error] = verdict === 'unauthorized' ? [401, 'Unauthorized'] : [403, 'Forbidden'];
    void reply.code(status as number).send({ error });
  };
  app.addHook('onRequest', guard);
}

function nameOf(keys: Keys, token: string | undefined): KeyName {
  if (keys.adminApiKey !== undefined && sameKey(keys.adminApiKey, token)) return 'admin-api-key';
  return keys.apiKey !== undefined && sameKey(keys.apiKey, token) ? 'api-key' : 'none';
}

/** Compares in a time that depends on neither key. */
function sameKey(expected: string, given: string | undefined): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(expected), digest(given ?? '')) && given !== undefined;
}
