import { checkInvariants } from './invariants.ts';
import type { RequestCache } from './request-cache.ts';

/** The debug mode: a cache that checks all of its invariants after every operation, and throws where one is broken. */
export function checkedCache(
  cache: RequestCache,
  tiers: Parameters<typeof checkInvariants>[0],
): RequestCache {
  return new Proxy(cache, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, args);
        checkInvariants(tiers);
        return result;
      };
    },
  });
}
