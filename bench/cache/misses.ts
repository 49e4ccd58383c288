import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ask, timeToFirstToken } from '../support/client.ts';
import { table } from '../support/page.ts';
import { uniquePrompt } from '../support/prompts.ts';
import { storageIdle, withServers } from '../support/server.ts';
import { median, rounded } from '../support/statistics.ts';
import { measureThroughput, SEEDS } from '../support/throughput.ts';
import { type Measured, type Settings, withModel } from './part.ts';

const FIGURES = ['ttft', 'prefill', 'decode'] as const;
type Sample = Record<(typeof FIGURES)[number], number>;

/** Prompts for the time to the first token, each round and server. */
const ASKED = 3;

/**
 * What caching costs where it brings nothing: a server that keeps every prompt in L2 and writes it to files, beside one
 * that keeps nothing, with prompts that never come again.
 */
export async function measureMisses(settings: Settings): Promise<Measured> {
  const { modelPath, rounds, quick } = settings;
  const shape = { requests: 4, promptTokens: quick ? 128 : 512, answerTokens: quick ? 16 : 64 };
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const common = { '--model-path': modelPath, '--max-total-tokens': 8192, '--context-length': 4096 };
  const caching = {
    ...common,
    '--hicache-storage-backend': 'file',
    '--hicache-storage-backend-extra-config': JSON.stringify({ path: folder }),
  };
  const samples: { on: Sample; off: Sample }[] = [];
  try {
    await withServers([caching, { ...common, '--disable-radix-cache': true }], async (servers) => {
      let seed = 0;
      const measure = async (url: string): Promise<Sample> => {
        seed += 2 * SEEDS;
        const times: number[] = [];
        for (let i = 0; i < ASKED; i++)
          times.push(timeToFirstToken(await ask(url, uniquePrompt(seed + i, shape.promptTokens), 1)));
        const speed = await measureThroughput(url, shape, seed + SEEDS);
        // What this server still writes must not slow the other one down.
        await storageIdle(url);
        return { ttft: median(times), ...speed };
      };
      const [on, off] = [servers[0]!.url, servers[1]!.url];
      for (let round = -1; round < rounds; round++) {
        // Each is the first one as often as the other.
        const sides = round % 2 === 0 ? ([on, off] as const) : ([off, on] as const);
        const first = await measure(sides[0]);
        const second = await measure(sides[1]);
        // The first round is for warming up.
        if (round >= 0)
          samples.push(sides[0] === on ? { on: first, off: second } : { on: second, off: first });
      }
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const rows = FIGURES.map((figure) => ({
    figure,
    on: rounded(median(samples.map(({ on }) => on[figure]))),
    off: rounded(median(samples.map(({ off }) => off[figure]))),
    ratio: rounded(median(samples.map(({ on, off }) => on[figure] / off[figure])), 3),
  }));
  const names = {
    ttft: `first token of ${shape.promptTokens}, ms`,
    prefill: `prefill of ${shape.requests} at once, tok/s`,
    decode: `decode of ${shape.requests} at once, tok/s`,
  };
  const markdown = table(
    ['', 'cached and written to files', '`--disable-radix-cache`', 'ratio'],
    rows.map(({ figure, on, off, ratio }) => [names[figure], on, off, ratio]),
  );
  return { data: { shape, rows, samples }, markdown, about: withModel(settings) };
}
