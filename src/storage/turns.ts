import { setImmediate } from 'node:timers/promises';

/** To copy more, or to hash twice as much, takes a tenth of a millisecond; a turn of the event loop costs a tenth of that. */
const TURN_BYTES = 1 << 20;

/** To be awaited after each copy or checksum of so many bytes: lets everything else have its turn after some. */
export function turns(): (bytes: number) => Promise<void> {
  let worked = 0;
  return async (bytes) => {
    worked += bytes;
    if (worked < TURN_BYTES) return;
    worked = 0;
    await setImmediate();
  };
}
