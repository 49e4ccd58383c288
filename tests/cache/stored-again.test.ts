import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { filesIn, temporaryFolder } from '../storage/support/folders.ts';
import { RealCache } from '../support/real-cache.ts';
import { GREEDY } from '../support/simulation.ts';
import { tokens, useModel } from '../support/tiny-engine.ts';

const PAGE = 8;
const PAGES = 12;

const model = useModel('tiny', { cells: 256, batchTokens: 64, sequences: 8, outputs: 4, pageSize: PAGE });

let nextId = 0;

/** A prompt of so many pages, and one token that is computed in any case. */
function prompt() {
  const sampling = { ...GREEDY, maxTokens: 1 };
  return { id: nextId++, prompt: tokens(PAGES * PAGE + 1, 1), sampling, ignoreEndOfGeneration: true };
}

async function attached(folder: string): Promise<RealCache> {
  const cache = new RealCache(model.engine, { hostPages: 100 });
  await cache.attach(folder);
  return cache;
}

it('what the store has lost is stored again, all of it, when it is computed again', async () => {
  const folder = await temporaryFolder();
  const cache = await attached(folder);
  await cache.answer(prompt());
  await cache.settled();
  expect((await filesIn(folder)).length).toBe(PAGES);
  await rm(folder, { recursive: true });
  await mkdir(folder);
  cache.scheduler.flush();
  await cache.answer(prompt());
  await cache.stop();
  expect((await filesIn(folder)).length).toBe(PAGES);
});

it('what could not be written is written when it is used again', async () => {
  const folder = await temporaryFolder();
  const [store, away] = [path.join(folder, 'store'), path.join(folder, 'away')];
  const cache = await attached(store);
  await rename(store, away);
  await writeFile(store, 'no folder');
  await cache.answer(prompt());
  await cache.settled();
  expect(cache.counts.notStored).toEqual({ error: PAGES * PAGE });
  await rm(store);
  await rename(away, store);
  expect((await cache.answer(prompt())).cached.device).toBe(PAGES * PAGE);
  await cache.stop();
  expect((await filesIn(store)).length).toBe(PAGES);
});
