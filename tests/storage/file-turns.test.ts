import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../src/storage/driver.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { randomFrom } from '../structured-output/random.ts';
import { bytes, never, outcome } from './support/calls.ts';
import { claimsIn, filesIn, temporaryFolder } from './support/folders.ts';
import { Turns } from './support/turns.ts';

const QUOTA = 40_000;

/** Nothing else happens meanwhile. */
function bytesNow(folder: string): number {
  let sum = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += statSync(path.join(entry.parentPath, entry.name)).size;
  return sum;
}

/** @param evicted the more is evicted at once, the longer nobody needs to look at the others */
async function open(folder: string, evicted: number): Promise<StorageDriver> {
  const options = { path: folder, max_size: QUOTA, min_free_space: 0, eviction_ratio: evicted };
  const driver = createDriver('file', options);
  await driver.open(never);
  return driver;
}

async function writeSome(
  driver: StorageDriver,
  name: string,
  random: () => number,
  outcomes: string[],
): Promise<void> {
  const writes = Array.from({ length: 1 + Math.floor(5 * random() ** 2) }, (_, i) => ({
    key: `model/${'abc'[i % 3]}${name}-${i}`,
    parts: [bytes(500 + Math.floor(1500 * random()))],
  }));
  outcomes.push(...(await driver.write(writes, never)).map(outcome));
}

/** Is there all the time, and alone most of it. */
async function stay(folder: string, random: () => number, outcomes: string[]): Promise<void> {
  const driver = await open(folder, 0.5);
  for (let batch = 0; batch < 50; batch++) {
    await writeSome(driver, `stays-${batch}`, random, outcomes);
    await pause(random);
  }
  await driver.close();
}

/** Comes, writes and goes some times over. */
async function visit(folder: string, name: string, random: () => number, outcomes: string[]): Promise<void> {
  for (let life = 0; life < 5; life++) {
    await pause(random);
    await pause(random);
    const driver = await open(folder, random() / 4);
    for (let batch = Math.floor(5 * random()); batch >= 0; batch--)
      await writeSome(driver, `${name}-${life}-${batch}`, random, outcomes);
    await driver.close();
  }
}

async function pause(random: () => number): Promise<void> {
  for (let turns = Math.floor(250 * random() ** 3); turns > 0; turns--) await setImmediate();
}

test.each([1, 2, 3, 4, 5, 6])(
  'O5: in whatever order the operations of several writers happen, the folder is never above max_size (%i)',
  async (seed) => {
    const folder = await temporaryFolder();
    const random = randomFrom(seed);
    const outcomes: string[] = [];
    let most = 0;
    const turns = new Turns(random);
    const visitors = ['one', 'two'].map((name) => visit(folder, name, random, outcomes));
    const writers = Promise.all([stay(folder, random, outcomes), ...visitors]);
    await turns.run(writers, () => (most = Math.max(most, bytesNow(folder))));
    expect(most).toBeLessThanOrEqual(QUOTA);
    expect(most).toBeGreaterThan(0.9 * QUOTA);
    expect(new Set(outcomes)).toEqual(new Set(['stored']));
    expect((await filesIn(folder)).filter((file) => !file.endsWith('.page'))).toEqual([]);
    expect(await claimsIn(folder)).toEqual([]);
  },
);
