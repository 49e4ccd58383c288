import type { Clock } from '../../../shared/clock.ts';
import type { Failed, KeyedOperation, StorageDriver, StorageErrorKind } from '../../driver.ts';
import { failed } from '../../results.ts';
import { passThrough } from '../pass-through.ts';
import { Breaker, type BreakerSettings } from './breaker.ts';

/** What a store fails with that is not there, or too slow. */
const TROUBLE: ReadonlySet<StorageErrorKind> = new Set(['timeout', 'unreachable']);
/** What is trouble where something is looked for. Of a store that answers so to writes, what it holds can still be read. */
const TROUBLE_OF_READS: ReadonlySet<StorageErrorKind> = new Set(['io', 'denied']);
/** What a store says of one value: it is there. */
const ANSWERS: ReadonlySet<StorageErrorKind> = new Set(['size', 'corrupt']);
/** Whoever gives a call up sooner says nothing of the store: a prefetch waits longer for one that hangs. */
const LONG_MS = 1_000;
/** No page has it, and a store need not know it to answer. */
const PROBED_KEY = '0';

export interface BreakerLayerOptions {
  clock: Clock;
  /** Undefined where it opens by hand alone. */
  settings: BreakerSettings | undefined;
  random?: () => number;
  /** Told whenever it has closed again. */
  onClosed?: () => void;
}

/**
 * Keeps calls from a store that does not answer: while the breaker is open every key fails at once with kind `skipped`.
 * Its probe is a look for a key, by the driver that it is around. Lists are asked for by operators, and go through.
 */
export function breakerAround(
  driver: StorageDriver,
  { clock, settings, random = Math.random, onClosed = () => undefined }: BreakerLayerOptions,
): { driver: StorageDriver; breaker: Breaker } {
  const base = passThrough(driver);
  const breaker = new Breaker({
    clock,
    settings,
    random,
    onClosed,
    probe: (signal) =>
      base.has([PROBED_KEY], signal).then(
        (results) => hasFailed('has', results) === false,
        () => false,
      ),
  });

  /** When the store last answered such a call. */
  const answeredAt: Partial<Record<KeyedOperation, number>> = {};

  /** Whether a call was given up for which it had long enough, while it answered no other such call either. */
  function wasInVain(operation: KeyedOperation, began: number, results: readonly Answer[]): boolean {
    const isAborted = results.some((result) => 'error' in result && result.error.kind === 'aborted');
    const answered = answeredAt[operation] ?? Number.NEGATIVE_INFINITY;
    return isAborted && answered <= began && clock.now() - began >= LONG_MS;
  }

  async function guarded<R extends { status: string }>(
    operation: KeyedOperation,
    items: readonly unknown[],
    call: () => Promise<(R | Failed)[]>,
  ): Promise<(R | Failed)[]> {
    if (!breaker.letsThrough) return items.map(() => skipped(breaker));
    const { period } = breaker;
    const began = clock.now();
    const results = await call();
    const verdict = hasFailed(operation, results);
    if (verdict === false) answeredAt[operation] = clock.now();
    if (verdict !== undefined) breaker.called(period, verdict);
    else if (wasInVain(operation, began, results)) breaker.called(period, true);
    return results;
  }

  return {
    breaker,
    driver: {
      ...base,
      async close() {
        breaker.end();
        await base.close();
      },
      has: (keys, signal) => guarded('has', keys, () => base.has(keys, signal)),
      read: (reads, signal) => guarded('read', reads, () => base.read(reads, signal)),
      write: (writes, signal) => guarded('write', writes, () => base.write(writes, signal)),
      remove: (keys, signal) => guarded('remove', keys, () => base.remove(keys, signal)),
    },
  };
}

type Answer = { status: string } | Failed;

function skipped({ state }: Breaker): Failed {
  const why = state === 'held' ? 'an operator holds it open' : 'the store did not answer before';
  return failed('skipped', `The breaker is open: ${why}.`);
}

/**
 * Whether a call says that the store is not well: every key of it failed. One key that is answered shows that the store
 * is there, and others may have reasons of their own. Undefined where the call says nothing of the store: it was aborted,
 * or the store does not take writes, of which reads know nothing.
 */
function hasFailed(operation: KeyedOperation, results: readonly Answer[]): boolean | undefined {
  const looks = operation === 'has' || operation === 'read';
  let trouble = false;
  for (const result of results) {
    if (!('error' in result) || ANSWERS.has(result.error.kind)) return false;
    const { kind } = result.error;
    trouble ||= TROUBLE.has(kind) || (looks && TROUBLE_OF_READS.has(kind));
  }
  return trouble ? true : undefined;
}
