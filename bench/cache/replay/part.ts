import path from 'node:path';
import { rounded } from '../../../src/bench/statistics.ts';
import { BLOCK, readTrace } from '../../../src/bench/trace/trace.ts';
import { table } from '../../support/page.ts';
import type { Measured, Settings } from '../../support/parts.ts';
import { reusableTokens } from './blocks.ts';
import { plainLruHits } from './plain-lru.ts';
import { replay } from './replay.ts';
import { cacheOptions, VARIANTS } from './variants.ts';

/** Sizes of the cache in tokens, for the whole trace; a part of it gets the same part of them. */
const SIZES = [2000, 10_000, 20_000, 50_000].map((blocks) => blocks * BLOCK);
const WHOLE_TRACE_TOKENS = 144_793_823;

/** How much of a real trace's prompts the tiers find again, against a cache that never forgets. */
export async function measureReplay({ trace, quick, say }: Settings & { trace: string }): Promise<Measured> {
  const requests = (await readTrace(trace)).slice(0, quick ? 200 : undefined);
  const promptTokens = requests.reduce((sum, request) => sum + request.promptTokens, 0);
  const longest = Math.max(...requests.map((request) => request.promptTokens));
  const sizes = SIZES.map((size) => Math.round((size * promptTokens) / WHOLE_TRACE_TOKENS));
  const reusable = reusableTokens(requests);
  // With an L3 without end the smallest L2 shows what all do.
  const runs = VARIANTS.flatMap((variant) =>
    sizes.slice(0, variant.storage ? 1 : undefined).map((size) => ({ variant, size })),
  );
  const began = performance.now();
  const hits = await replay(
    requests,
    runs.map(({ variant, size }) => cacheOptions(variant, size, longest)),
    (done) => done % 2000 === 0 && say(`${done} of ${requests.length} requests …`),
  );
  const seconds = rounded((performance.now() - began) / 1000);
  const rows = runs.map((run, i) => {
    const { device, host, storage } = hits[i]!;
    const all = device + host + storage;
    return {
      variant: run.variant.name,
      size: run.size,
      device,
      host,
      storage,
      all,
      rate: rounded(all / promptTokens, 4),
    };
  });
  const plain = sizes.map((size) => plainLruHits(requests, size));
  const data = {
    trace: path.basename(trace),
    requests: requests.length,
    promptTokens,
    reusableTokens: reusable,
    seconds,
    plainLru: sizes.map((size, i) => ({ size, rate: rounded(plain[i]! / promptTokens, 4) })),
    rows,
  };
  const percent = (hit: number) =>
    `${rounded((100 * hit) / promptTokens)} % (${rounded((100 * hit) / reusable, 0)} %)`;
  const line = (name: string) => {
    const cells = rows.filter(({ variant }) => variant === name).map(({ all }) => percent(all));
    return [...cells, ...sizes.slice(cells.length).map(() => '')];
  };
  const markdown = [
    `Of ${millions(promptTokens)} tokens of prompts ` +
      `${rounded((100 * reusable) / promptTokens)} % came before. Pages of ${BLOCK} tokens, L1 ` +
      `of ${millions(longest)}. Tokens that are not computed, and their share of those that came before:`,
    '',
    table(
      ['tokens of L2', ...sizes.map(millions)],
      [['plain LRU of blocks', ...plain.map(percent)], ...VARIANTS.map(({ name }) => [name, ...line(name)])],
    ),
  ].join('\n');
  return { data, markdown, about: `${requests.length} requests of \`${data.trace}\`` };
}

function millions(tokens: number): string {
  return `${rounded(tokens / 1e6, tokens < 1e6 ? 2 : 1)} M`;
}
