import { setTimeout as sleep } from 'node:timers/promises';
import { rounded } from '../../src/bench/statistics.ts';
import { Inspector } from '../../tests/support/inspector.ts';
import { ask } from '../support/client.ts';
import { Load } from '../support/load.ts';
import { table } from '../support/page.ts';
import type { Measured, Settings } from '../support/parts.ts';
import { type BenchServer, withServers } from '../support/server.ts';
import { rankPids } from './processes.ts';
import { storedIn } from './storage.ts';

/** A timer of a millisecond in the process tells how late it comes; nanoseconds become milliseconds. */
const BEGIN = `globalThis.delays = process.getBuiltinModule('node:perf_hooks').monitorEventLoopDelay({ resolution: 1 });
delays.enable()`;
const END = `({ p50: delays.percentile(50) / 1e6 - 1, p99: delays.percentile(99) / 1e6 - 1,
  p999: delays.percentile(99.9) / 1e6 - 1, longest: delays.max / 1e6 - 1 })`;

type Delays = Record<'p50' | 'p99' | 'p999' | 'longest', number>;

/** How long a rank's event loop is held up, which is how long a control message waits. */
export async function measureEventLoop({ quick, modelPath, say }: Settings): Promise<Measured> {
  const seconds = quick ? 1 : 30;
  const rows: { load: string; delays: Delays }[] = [];
  await storedIn(async (storage) => {
    const flags = {
      '--model-path': modelPath,
      '--max-total-tokens': 8192,
      '--context-length': 2048,
      ...storage,
    };
    await withServers([flags], async ([server]) => {
      const load = async (name: string, streams: number, promptTokens: number, answerTokens: number) => {
        // So many prompts that they come from the storage, since neither L1 nor L2 can hold them.
        const shape = { streams, promptTokens, answerTokens, prompts: 48 };
        const running = new Load(server!.url, shape);
        const delays = await delaysOf(server!, seconds);
        await running.stop();
        rows.push({ load: name, delays });
        say(`${name}: ${JSON.stringify(delays)}`);
      };
      await ask(server!.url, 'a', 1);
      await load('answers of 128 tokens to 16 streams', 16, 64, quick ? 8 : 128);
      await load(
        'prompts of 1,024 tokens of 16 streams, written to files and read again',
        16,
        quick ? 128 : 1024,
        2,
      );
    });
  });
  const figures = ['p50', 'p99', 'p999', 'longest'] as const;
  const markdown = table(
    ['delay of the event loop, ms', 'p50', 'p99', 'p99.9', 'longest'],
    rows.map(({ load, delays }) => [load, ...figures.map((figure) => rounded(delays[figure], 2))]),
  );
  return { data: { seconds, rows }, markdown, about: `197 M parameters in q8_0, ${seconds} s of each load` };
}

async function delaysOf(server: BenchServer, seconds: number): Promise<Delays> {
  const patience = AbortSignal.timeout(1000 * seconds + 60_000);
  const [pid] = await rankPids(server);
  const rank = await Inspector.connect(pid!, patience);
  await rank.evaluate(BEGIN, patience);
  await sleep(1000 * seconds);
  const delays = (await rank.evaluate(END, patience)) as Delays;
  rank.close();
  return delays;
}
