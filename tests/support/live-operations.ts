import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { expectNothingFailed, Load, PREFETCH_THRESHOLD, rightAnswers, startLoadedServer } from './load.ts';
import type { TestServer } from './server.ts';
import { type Answer, attach, detach } from './storage-api.ts';

export interface LiveCounts {
  requests: number;
  operations: number;
  /** Prompt tokens that came from the storage. */
  fromStorage: number;
}

function attachLive(server: TestServer, path: string, replace: boolean): Promise<Answer> {
  const config = { path, min_free_space: 0, prefetch_threshold: PREFETCH_THRESHOLD };
  return attach(server, config, { mode: 'live', switch: replace, read_through: 1 });
}

/**
 * Attaches, switches and detaches under load, one operation after the other with a second between them, for so long.
 * Every stream must be whole and right, and every operation must succeed.
 */
export async function changeUnderLoad(seconds: number): Promise<LiveCounts> {
  const right = await rightAnswers();
  const folders = [await temporaryFolder(), await temporaryFolder()] as const;
  const server = await startLoadedServer('--dp-size', '2');
  const until = performance.now() + 1000 * seconds;
  let operations = 0;
  const change = async () => {
    const steps = [
      () => attachLive(server, folders[0], false),
      () => attachLive(server, folders[1], true),
      () => attachLive(server, folders[0], true),
      () => detach(server, '?mode=live'),
    ];
    while (performance.now() < until) {
      const { status, text } = await steps[operations % steps.length]!();
      expect(`${status} ${text}`).toMatch(/^200 /);
      operations++;
      await sleep(1000);
    }
  };
  try {
    const load = new Load(server, right);
    await load.beside(change());
    await load.stop();
    await expectNothingFailed(server);
    return { requests: load.requests, operations, fromStorage: load.fromStorage };
  } finally {
    await server.kill();
  }
}
