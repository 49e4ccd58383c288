import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { median, rounded } from '../../../src/bench/statistics.ts';
import { ask, type Streamed, timeToFirstToken } from '../../support/client.ts';
import { table } from '../../support/page.ts';
import { type Measured, type Settings, withModel } from '../../support/parts.ts';
import { type BenchServer, flushCache, metric, startServer, storageIdle } from '../../support/server.ts';
import { dropFromPageCache } from './page-cache.ts';
import { textsOf } from './texts.ts';

const CASES = {
  computed: 'computed',
  device: 'hit in L1',
  host: 'hit in L2',
  storage: 'hit in L3, files in the page cache',
  cold: 'hit in L3, files on the disk',
  restarted: 'first request after a restart, hit in L3',
  shortest: 'a prompt of one word, for comparison',
  loading: 'the hit in L2 within the rank: loading its pages to L1',
} as const;
type Case = keyof typeof CASES;
type Times = Partial<Record<Case, number>>;

/** Seconds that moves from L2 to L1 took. */
const LOADING = 'tierkv_load_back_duration_seconds_sum';
/** Each hit that costs little is repeated. */
const REPEATS = 5;
/** Less than this is no hit: the last page's tokens may be computed. */
const HIT = 0.95;

/**
 * What a user waits for the first token of a long prompt, by where its prefix is: text in, through HTTP, to the first
 * event of the stream. The prompt's tokenization and the step that computes its last token are in every time.
 */
export async function measureFirstToken(settings: Settings): Promise<Measured> {
  const { modelPath, rounds, quick, say } = settings;
  const tokens = quick ? 512 : 4096;
  const texts = await textsOf(modelPath, tokens, rounds + 1);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tierkv-bench-'));
  const bench = new FirstTokenBench(modelPath, tokens, folder);
  const samples: Times[] = [];
  try {
    await bench.start();
    for (const [round, text] of texts.entries()) {
      say(`round ${round} of ${rounds} …`);
      const times = await bench.measure(text);
      // The first round is for warming up.
      if (round > 0) samples.push(times);
    }
  } finally {
    await bench.stop();
    await rm(folder, { recursive: true, force: true });
  }
  const rows = (Object.keys(CASES) as Case[]).map((name) => {
    const own = samples.filter((times) => times[name] !== undefined);
    const faster = median(own.map((times) => times.computed! / times[name]!));
    return { case: name, ms: rounded(median(own.map((times) => times[name]!))), faster: rounded(faster) };
  });
  const markdown = table(
    [`${tokens} tokens`, 'first token, ms', 'faster than computing'],
    rows.map(({ case: name, ms, faster }) => {
      const skipped = name === 'cold' && bench.notCold !== undefined;
      return [CASES[name], skipped ? `skipped: ${bench.notCold}` : ms, skipped ? '' : faster];
    }),
  );
  return { data: { tokens, notCold: bench.notCold, rows, samples }, markdown, about: withModel(settings) };
}

/** One server that keeps everything in L1, and one that keeps what nobody uses in L2 and in files. */
class FirstTokenBench {
  readonly #modelPath: string;
  readonly #tokens: number;
  readonly #folder: string;
  #inL1: BenchServer | undefined;
  #below: BenchServer | undefined;
  /** Why files could not be taken out of the page cache. */
  notCold: string | undefined;

  constructor(modelPath: string, tokens: number, folder: string) {
    this.#modelPath = modelPath;
    this.#tokens = tokens;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    this.#inL1 = await this.#startServer(4 * this.#tokens);
    this.#below = await this.#startServer(0);
  }

  async stop(): Promise<void> {
    await this.#inL1?.stop();
    await this.#below?.stop();
  }

  async measure(text: string): Promise<Times> {
    const [inL1, below] = [this.#inL1!.url, this.#below!.url];
    const times: Times = {};
    const computed = [
      timeToFirstToken(await ask(inL1, text, 1)),
      timeToFirstToken(await ask(below, text, 1)),
    ];
    times.computed = median(computed);
    times.device = await this.#repeat(() => this.#hit(inL1, text, 'device'));
    const loaded = await metric(below, LOADING);
    times.host = await this.#repeat(() => this.#hit(below, text, 'host'));
    times.loading = (1000 * ((await metric(below, LOADING)) - loaded)) / REPEATS;
    times.storage = await this.#repeat(async () => {
      await storageIdle(below);
      await flushCache(below);
      return this.#hit(below, text, 'storage');
    });
    const cold = await this.#cold(below, text);
    if (cold !== undefined) times.cold = cold;
    times.shortest = await this.#repeat(async () => timeToFirstToken(await ask(below, 'Hello', 1)));
    await this.#below!.stop();
    this.#below = await this.#startServer(0);
    times.restarted = await this.#hit(this.#below.url, text, 'storage');
    return times;
  }

  async #cold(url: string, text: string): Promise<number | undefined> {
    await storageIdle(url);
    await flushCache(url);
    this.notCold = await dropFromPageCache(this.#folder);
    return this.notCold === undefined ? this.#hit(url, text, 'storage') : undefined;
  }

  async #repeat(once: () => Promise<number>): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < REPEATS; i++) times.push(await once());
    return median(times);
  }

  /** Throws when the prompt did not come from there. */
  async #hit(url: string, text: string, tier: keyof Streamed['cached']): Promise<number> {
    const streamed = await ask(url, text, 1);
    if (streamed.cached[tier] < HIT * this.#tokens)
      throw new Error(`Not a hit in ${tier}: ${JSON.stringify(streamed.cached)}`);
    return timeToFirstToken(streamed);
  }

  #startServer(keepOnDevice: number): Promise<BenchServer> {
    return startServer({
      '--model-path': this.#modelPath,
      '--max-total-tokens': 4 * this.#tokens,
      '--context-length': 2 * this.#tokens,
      '--hicache-keep-on-device': keepOnDevice,
      ...(keepOnDevice === 0 && {
        '--hicache-storage-backend': 'file',
        '--hicache-storage-backend-extra-config': JSON.stringify({ path: this.#folder }),
      }),
    });
  }
}
