import { toFailure } from '../shared/errors.ts';
import type { ClearCounts, ClearScope } from '../shared/storage-messages.ts';
import type { StorageDriver } from '../storage/driver.ts';

export interface Cleared extends ClearCounts {
  /** Why not everything was removed; undefined when it was. */
  problem: string | undefined;
}

const TOO_LONG = 'it took too long';

/** Nothing else in a store is a page. `all` sees keys with the fingerprint of their model before them. */
const PAGES: Record<ClearScope, RegExp> = {
  model: /^[0-9a-f]{64}$/,
  all: /^[0-9a-f]{64}\/[0-9a-f]{64}$/,
};

/**
 * Removes every page that a driver lists, and nothing else. Never rejects: what was removed until something went wrong
 * is counted.
 *
 * @param driver of one model's namespace for the scope `model`, of the whole store for `all`
 */
export async function clearStore(
  driver: StorageDriver,
  scope: ClearScope,
  signal: AbortSignal,
): Promise<Cleared> {
  const cleared: Cleared = { removed: 0, failed: 0, problem: undefined };
  if (!driver.list) return { ...cleared, problem: `${driver.name} cannot list what it holds` };
  try {
    let cursor: string | undefined;
    do {
      const { keys, next } = await driver.list(cursor, signal);
      const pages = keys.filter((key) => PAGES[scope].test(key));
      for (let i = 0; i < pages.length; i += driver.capabilities.batch)
        await removeBatch(driver, pages.slice(i, i + driver.capabilities.batch), signal, cleared);
      cursor = next;
    } while (cursor !== undefined && !signal.aborted);
    if (signal.aborted) cleared.problem ??= TOO_LONG;
  } catch (error) {
    cleared.problem ??= signal.aborted ? TOO_LONG : toFailure(error).message;
  }
  return cleared;
}

async function removeBatch(
  driver: StorageDriver,
  keys: readonly string[],
  signal: AbortSignal,
  cleared: Cleared,
): Promise<void> {
  for (const result of await driver.remove(keys, signal)) {
    if (result.status === 'removed') cleared.removed++;
    if (result.status !== 'error') continue;
    cleared.failed++;
    cleared.problem ??= signal.aborted ? TOO_LONG : `${result.error.kind}: ${result.error.message}`;
  }
}
