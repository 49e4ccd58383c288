import { setTimeout as sleep } from 'node:timers/promises';

const WATCH_MS = 50;

/** Time for a driver to touch buffers that are not its any more. One that is right never fails by it. */
export async function watchBuffers(): Promise<void> {
  await sleep(WATCH_MS);
}
