import { systemClock } from '../shared/clock.ts';

/**
 * Waits for a moment of {@link systemClock}; not at all for one that has passed.
 *
 * @throws the reason of the signal
 */
export async function waitUntil(moment: number, signal: AbortSignal): Promise<void> {
  const left = moment - systemClock.now();
  if (left > 0) await systemClock.sleep(left, signal);
  signal.throwIfAborted();
}
