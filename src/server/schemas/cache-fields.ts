import { Type } from 'typebox';
import type { Namespace } from '../../shared/page-keys.ts';

/** The fields that say who shares what a request computes, and how long it is kept. */

const LONGEST_NAME = 1024;

/** Empty is refused, as in vLLM: a client that forgot to fill it in would share what it meant to keep apart. */
export const CacheSalt = Type.String({ minLength: 1, maxLength: LONGEST_NAME });
export const ExtraKey = Type.String({ maxLength: LONGEST_NAME });
export const Priority = Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 });

export const ABOUT = {
  cache_salt: 'Keeps this request’s cached prefixes to those with the same salt.',
  extra_key: 'Keeps this request’s cached prefixes to those with the same key.',
  priority: 'What is cached of this request is kept longer the higher it is. Default 0.',
} as const;

interface CacheFields {
  cache_salt?: string | null;
  extra_key?: string | null;
  priority?: number | null;
}

/** What the fields mean. An empty `extra_key` is none, as in SGLang. */
export function cacheUse(fields: CacheFields): { namespace: Namespace; priority: number } {
  return {
    namespace: { extraKey: fields.extra_key || undefined, cacheSalt: fields.cache_salt ?? undefined },
    priority: fields.priority ?? 0,
  };
}
