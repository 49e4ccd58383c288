import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createDriver } from '../../src/storage/factory.ts';
import { randomFrom } from '../structured-output/random.ts';
import { bytes, never, write } from './support/calls.ts';
import { bytesIn, claimsIn, temporaryFolder } from './support/folders.ts';
import { FINGERPRINT } from './support/layers.ts';

const WRITER = path.join(import.meta.dirname, 'support', 'endless-writer.ts');
const QUOTA = 4_000_000;
const PAGE = 30_000;

const writers = new Set<ChildProcess>();
/** What became of the pages that writers wrote. */
const outcomes: string[] = [];
afterEach(() => Promise.all([...writers].map(kill)));

async function start(folder: string): Promise<ChildProcess> {
  const writer = fork(WRITER, [folder, FINGERPRINT, String(QUOTA), String(PAGE)]);
  writers.add(writer);
  writer.on('message', (batch: string[]) => outcomes.push(...batch));
  await once(writer, 'message');
  return writer;
}

async function kill(writer: ChildProcess): Promise<void> {
  writers.delete(writer);
  writer.kill('SIGKILL');
  await once(writer, 'exit');
}

/** What the folder holds at one moment: the writers are stopped meanwhile, wherever they are. */
async function bytesAtOnce(folder: string): Promise<number> {
  for (const writer of writers) writer.kill('SIGSTOP');
  // What their threads have begun in the kernel ends first.
  await setTimeout(5);
  const held = await bytesIn(folder);
  for (const writer of writers) writer.kill('SIGCONT');
  return held;
}

test('O5: several processes that write to one folder, and are killed, are never above max_size together', async () => {
  const folder = await temporaryFolder();
  const random = randomFrom(7);
  const seen: number[] = [];
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 3 - writers.size }, () => start(folder)));
    for (let i = 0; i < 20; i++) {
      await setTimeout(20 * random());
      seen.push(await bytesAtOnce(folder));
    }
    for (const writer of [...writers]) if (random() < 0.6) await kill(writer);
    seen.push(await bytesAtOnce(folder));
  }
  await Promise.all([...writers].map(kill));
  expect(Math.max(...seen)).toBeLessThanOrEqual(QUOTA);
  expect(Math.max(...seen)).toBeGreaterThan(0.7 * QUOTA);
  const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
  expect(count('stored')).toBeGreaterThan(200);
  expect(count('stored') + count('full')).toBe(outcomes.length);

  // What the dead have claimed is free again.
  const driver = createDriver('file', { path: folder, max_size: QUOTA, min_free_space: 0 });
  await driver.open(never);
  const room = Math.floor(QUOTA / PAGE);
  const used: number[] = [];
  for (let i = 0; i < room; i++) {
    await write(driver, `${FINGERPRINT}/after-${i}`, bytes(PAGE));
    used.push(await bytesIn(folder));
  }
  expect(Math.max(...used)).toBeGreaterThan(QUOTA - PAGE);
  expect(Math.max(...used)).toBeLessThanOrEqual(QUOTA);
  expect(await claimsIn(folder)).toHaveLength(1);
  await driver.close();
});
