import { median } from '../../../src/bench/statistics.ts';
import { Prefix } from '../../../src/cache/prefix.ts';
import { uniquePrompt } from '../../support/prompts.ts';
import { ServedCache } from '../served-cache.ts';

const PROMPT = 32_768;
const TREE = 1_048_576;
/** A prompt grows to its length turn by turn, so its way through the tree has several nodes. */
const TURN = 2048;

/** Milliseconds for a prompt of 32k tokens where a million are cached, and bytes of bookkeeping. */
export interface TreeCosts {
  /** Making the keys of its pages, once per request. */
  hash: number;
  /** Finding all of it. */
  match: number;
  /** Serving it without computing: matched, published, written to L2 and taken from the device; another one is evicted. */
  insert: number;
  bytesPerToken: number;
}

export async function measureTree(pageSize: number, rounds: number): Promise<TreeCosts> {
  const before = await memory();
  const served = await ServedCache.open({
    pageSize,
    deviceTokens: 2 * PROMPT,
    keepOnDevice: 0,
    hostTokens: TREE,
    evictionPolicy: 'lru',
    writePolicy: 'write_through',
    storage: false,
  });
  for (let end = TURN; end <= PROMPT; end += TURN) {
    for (let number = 0; number < TREE / PROMPT; number++) await serve(served, prompt(number, end, pageSize));
  }
  const bytesPerToken = ((await memory()) - before) / TREE;

  const taken = { hash: [] as number[], match: [] as number[], insert: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (let number = 0; number < TREE / PROMPT; number++) {
      const known = prompt(number, PROMPT, pageSize);
      taken.hash.push(time(() => known.key(known.pages - 1)));
      taken.match.push(
        time(() => {
          if (served.cache.cachedTokens(known) !== PROMPT) throw new Error('What was cached is not found.');
        }),
      );
    }
  }
  for (let number = TREE / PROMPT; number < (1 + rounds) * (TREE / PROMPT); number++) {
    const other = prompt(number, PROMPT, pageSize);
    other.key(0);
    const began = performance.now();
    await serve(served, other);
    taken.insert.push(performance.now() - began);
  }
  const { hash, match, insert } = taken;
  return { hash: median(hash), match: median(match), insert: median(insert), bytesPerToken };
}

function prompt(number: number, length: number, pageSize: number): Prefix {
  return new Prefix(Int32Array.from(uniquePrompt(number, length)), '', pageSize);
}

async function serve(served: ServedCache, prefix: Prefix): Promise<void> {
  await served.begin(prefix);
  await served.end(prefix);
}

function time(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

/** Bytes that are reachable. */
async function memory(): Promise<number> {
  if (!globalThis.gc) throw new Error('Memory is measured with --expose-gc.');
  globalThis.gc();
  // The memory of buffers is given back a little later.
  await new Promise((resolve) => setTimeout(resolve, 200));
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
