import { setTimeout as sleep } from 'node:timers/promises';
import { median, rounded } from '../../src/bench/statistics.ts';
import { ask } from '../support/client.ts';
import { table } from '../support/page.ts';
import { type Measured, type Settings, withModel } from '../support/parts.ts';
import { uniquePrompt } from '../support/prompts.ts';
import { processorTime, startServer } from '../support/server.ts';

/** How long a server needs until it serves, and what it takes when nobody asks for anything. */
export async function measureStandby(settings: Settings): Promise<Measured> {
  const { rounds, quick, modelPath, say } = settings;
  const idleMs = quick ? 500 : 20_000;
  const runs: { ready: number; answered: number; idle: number }[] = [];
  // The first one brings the model into the page cache.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    const began = performance.now();
    const server = await startServer({ '--model-path': modelPath });
    try {
      const ready = performance.now() - began;
      await ask(server.url, uniquePrompt(1, 16), 1);
      const answered = performance.now() - began;
      // What follows the answer: a copy to L2, garbage collections.
      await sleep(idleMs / 4);
      const before = await processorTime(server);
      await sleep(idleMs);
      const idle = (await processorTime(server)) - before;
      say(`round ${round}: ready after ${rounded(ready)} ms, ${idle} ms of processor time in ${idleMs} ms`);
      if (round > 0) runs.push({ ready, answered, idle });
    } finally {
      await server.stop();
    }
  }
  const of = (figure: 'ready' | 'answered' | 'idle') => median(runs.map((run) => run[figure]));
  const markdown = table(
    ['', ''],
    [
      ['from the command to the address, ms', rounded(of('ready'))],
      ['from the command to the end of the first answer, ms', rounded(of('answered'))],
      ['processor time while idle, % of a core', rounded((100 * of('idle')) / idleMs, 2)],
    ],
  );
  return { data: { runs, idleMs }, markdown, about: withModel(settings) };
}
