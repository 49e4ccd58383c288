import { checkInvariants, type Tiers } from './invariants.ts';
import type { Lease } from './lease.ts';
import type { RequestCache } from './request-cache.ts';

/**
 * The debug mode: a cache that checks all of its invariants after every operation, and throws where one is broken. While
 * sequences are swapped out, the cells are not what the tree says.
 */
export function checkedCache(cache: RequestCache, tiers: Tiers): RequestCache {
  const running = new Set<Lease>();
  let isSwapped = false;
  return new Proxy(cache, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, args);
        if (name === 'fill' && result === true) running.add(args[0] as Lease);
        if (name === 'close') running.delete(args[0] as Lease);
        if (name === 'swapOut') isSwapped = true;
        if (name === 'swapIn') isSwapped = false;
        if (!isSwapped) checkInvariants(tiers, running);
        return result;
      };
    },
  });
}
