import { expect, test } from 'vitest';
import { createDriver } from '../../../src/storage/factory.ts';
import { never, outcome } from '../support/calls.ts';
import { temporaryFolder } from '../support/folders.ts';

const MEMORY = { backend: 'memory' };
const PAGES = 32;
const MIB = 2 ** 20;

/** How often everything else in the process had its turn while some work was done. */
async function turnsDuring(work: Promise<{ status: string }[]>, expected: string): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const results = await work;
  isOver = true;
  expect(results.map(outcome)).toEqual(results.map(() => expected));
  return turns;
}

test.each([
  ['memory', {}],
  ['lmdb', { max_size: '200MB' }],
  ['tiered', { fast: MEMORY, slow: MEMORY }],
  ['mirror', { first: MEMORY, second: MEMORY }],
])('%s lets everything else have its turn while it copies many pages', async (name, options) => {
  const place = name === 'lmdb' ? { path: await temporaryFolder() } : {};
  const driver = createDriver(name, { ...place, ...options });
  await driver.open(never);
  const pages = Array.from({ length: PAGES }, (_, i) => ({ key: `k${i}`, value: Buffer.alloc(MIB, i) }));
  const writes = pages.map(({ key, value }) => ({ key, parts: [value] }));
  // Four megabytes at a time, at most.
  expect(await turnsDuring(driver.write(writes, never), 'stored')).toBeGreaterThanOrEqual(PAGES / 4);
  const reads = pages.map(({ key }) => ({ key, into: [Buffer.alloc(MIB)] }));
  expect(await turnsDuring(driver.read(reads, never), 'hit')).toBeGreaterThanOrEqual(PAGES / 4);
  for (const [i, { into }] of reads.entries()) expect(into[0]?.equals(pages[i]!.value)).toBe(true);
  await driver.close();
});
