import { setImmediate } from 'node:timers/promises';

/** To copy more would keep everything else in the process from its turn. */
const TURN_BYTES = 1 << 20;

/** To be awaited after each copy of so many bytes: lets everything else have its turn after some. */
export function turns(): (bytes: number) => Promise<void> {
  let copied = 0;
  return async (bytes) => {
    copied += bytes;
    if (copied < TURN_BYTES) return;
    copied = 0;
    await setImmediate();
  };
}
