import { toFailure } from '../../shared/errors.ts';
import type { ClearCounts, Cleared, ClearScope } from '../../shared/storage-messages.ts';
import type { StorageDriver } from '../driver.ts';
import { portions } from './listing.ts';
import { PAGES } from './pages.ts';

const TOO_LONG = 'it took too long';

/**
 * Removes every page that a driver lists, and nothing else. Never rejects: what was removed until something went wrong
 * is counted.
 *
 * @param driver of one model's namespace for the scope `model`, of the whole store for `all`
 * @param onProgress is told after every batch what was removed until then
 */
export async function clearStore(
  driver: StorageDriver,
  scope: ClearScope,
  signal: AbortSignal,
  onProgress: (counts: ClearCounts) => void = () => {},
): Promise<Cleared> {
  const cleared: Cleared = { removed: 0, failed: 0, problem: undefined };
  if (!driver.list) return { ...cleared, problem: `${driver.name} cannot list what it holds` };
  try {
    for await (const entries of portions(driver, signal)) {
      const pages = entries.map(({ key }) => key).filter((key) => PAGES[scope].test(key));
      for (let i = 0; i < pages.length && !signal.aborted; i += driver.capabilities.batch) {
        await removeBatch(driver, pages.slice(i, i + driver.capabilities.batch), signal, cleared);
        onProgress(cleared);
      }
    }
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
