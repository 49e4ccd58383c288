import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { median, medianInterval, rounded } from '../../../src/bench/statistics.ts';
import { table } from '../../support/page.ts';
import { type Measured, type Settings, withModel } from '../../support/parts.ts';
import { uniquePrompt } from '../../support/prompts.ts';
import { type BenchServer, type Flags, withServers } from '../../support/server.ts';
import { measureProcessor } from './processor.ts';
import { measureWaiting, REQUESTS } from './waiting.ts';

/**
 * Pairs of measurements in a round. Other work on the machine changes a single one by a fifth: many that are short and
 * close together show a difference of a few per cent, few long ones do not. Processor time needs fewer.
 */
const PAIRS = { waiting: 20, processor: 4 };

/**
 * What caching costs where it brings nothing: a server that keeps every prompt in L2 and writes it to files, beside one
 * that keeps nothing, with prompts that never come again.
 */
export async function measureMisses(settings: Settings): Promise<Measured> {
  const { rounds, quick } = settings;
  const [prompt, answer] = quick ? [128, 16] : [256, 32];
  let seed = 0;
  const unique = (tokens: number) => uniquePrompt(seed++, tokens);
  const count = (pairs: number) => (quick ? 1 : pairs * rounds);
  settings.say('processor time …');
  const processor = await inPairs(settings, count(PAIRS.processor), { '--threads': 1 }, (server) =>
    measureProcessor(server, unique),
  );
  settings.say('waiting …');
  const waiting = await inPairs(settings, count(PAIRS.waiting), {}, ({ url }) =>
    measureWaiting(url, () => unique(prompt), answer),
  );
  const rows = [
    row(`first token of ${prompt}, ms`, waiting, ({ ttft }) => ttft),
    row(`first tokens of ${REQUESTS} × ${prompt}, ms`, waiting, ({ prefill }) => prefill),
    row(`a token of each of ${REQUESTS} answers, ms`, waiting, ({ decode }) => decode),
    row('processor time of prompts, ms', processor, ({ prompts }) => prompts),
    row('processor time of answers, ms', processor, ({ answers }) => answers),
  ];
  const markdown = table(
    ['', 'cached and written to files', '`--disable-radix-cache`', 'ratio', '95 % sure'],
    rows.map(({ name, on, off, ratio, interval }) => [name, on, off, ratio, interval.join(' to ')]),
  );
  const about = `${withModel(settings)} of ${PAIRS.waiting} and ${PAIRS.processor} pairs`;
  return { data: { rows, waiting, processor }, markdown, about };
}

interface Pair<T> {
  on: T;
  off: T;
}

/** Measures both servers in turn, each the first one as often as the other. */
async function inPairs<T>(
  { modelPath }: Settings,
  count: number,
  flags: Flags,
  measure: (server: BenchServer) => Promise<T>,
): Promise<Pair<T>[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const common = {
    '--model-path': modelPath,
    '--max-total-tokens': 8192,
    '--context-length': 4096,
    ...flags,
  };
  const caching = {
    ...common,
    '--hicache-storage-backend': 'file',
    '--hicache-storage-backend-extra-config': JSON.stringify({ path: folder }),
  };
  try {
    return await withServers([caching, { ...common, '--disable-radix-cache': true }], async (servers) => {
      const [on, off] = [servers[0]!, servers[1]!];
      const pairs: Pair<T>[] = [];
      for (let pair = -1; pair < count; pair++) {
        const swapped = pair % 2 !== 0;
        const first = await measure(swapped ? off : on);
        const second = await measure(swapped ? on : off);
        // The first pair is for warming up.
        if (pair >= 0) pairs.push(swapped ? { on: second, off: first } : { on: first, off: second });
      }
      return pairs;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function row<T>(name: string, pairs: readonly Pair<T>[], figure: (sample: T) => number) {
  const ratios = pairs.map(({ on, off }) => figure(on) / figure(off));
  return {
    name,
    on: rounded(median(pairs.map(({ on }) => figure(on)))),
    off: rounded(median(pairs.map(({ off }) => figure(off)))),
    ratio: rounded(median(ratios), 3),
    interval: medianInterval(ratios).map((ratio) => rounded(ratio, 3)),
  };
}
