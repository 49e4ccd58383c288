import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import { verifyFolder } from '../storage/support/verify-folder.ts';
import { randomFrom } from '../structured-output/random.ts';
import {
  ask,
  expectRightAnswers,
  QUESTIONS,
  rightAnswers,
  startSharedServer,
  storageIn,
  words,
} from './cache-server.ts';
import type { GreedyAnswer } from './server.ts';

const LATEST_KILL_MS = 700;

/**
 * Starts a server over a folder that others were killed over, has it write pages, and kills it at a moment that the seed
 * decides. What it leaves must be whole.
 *
 * @returns tokens of its first prompt that were stored before
 */
async function killRound(folder: string, seed: number, right: readonly GreedyAnswer[]): Promise<number> {
  const random = randomFrom(seed);
  const server = await startSharedServer(...storageIn(folder));
  try {
    const { storage } = (await ask(server, QUESTIONS[2]!)).cached;
    // New prompts, so that there is always something to write.
    const fresh = [0, 1, 2, 3].map((i) => ask(server, { text: words(30, 1000 + 10 * seed + i) }));
    const answered = Promise.all([expectRightAnswers(server, right), ...fresh]);
    const ended = answered.catch((error: unknown) => {
      // A request that was cut off.
      if (!(error instanceof TypeError)) throw error;
    });
    await sleep(random() * LATEST_KILL_MS);
    const { ranks } = await server.info();
    expect(ranks.map(({ restarts }) => restarts)).toEqual([0]);
    await server.kill();
    await ended;
    return storage;
  } finally {
    await server.kill();
    const { store, folder: files } = await verifyFolder(folder);
    expect(store).toMatchObject({ removed: 0, reasons: {}, failed: [], problem: null });
    expect(files.failed).toEqual([]);
  }
}

/** So many rounds over one folder, which is returned. */
export async function killRounds(rounds: number): Promise<string> {
  const folder = await temporaryFolder();
  const right = await rightAnswers();
  const found = [];
  for (let round = 0; round < rounds; round++) found.push(await killRound(folder, round, right));
  expect(found[0]).toBe(0);
  expect(found.at(-1)).toBeGreaterThan(0);
  return folder;
}
