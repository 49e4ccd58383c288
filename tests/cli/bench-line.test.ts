import { expect, it } from 'vitest';
import { BenchLine } from '../../src/cli/bench/bench-line.ts';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';

const EMPTY = '\r\x1b[2K';

it('the progress of a benchmark is one line: the server, the round, requests and failures', async () => {
  const written: string[] = [];
  const clock = new VirtualClock();
  const output = { isTTY: true, columns: 80, write: (text: string) => written.push(text) };
  const line = new BenchLine(output, clock);
  const run = { label: 'a', round: 1, repeat: 2 };
  line.update({ ...run, done: 0, expected: 0, failed: 0 });
  line.update({ ...run, done: 0, expected: 40, failed: 0 });
  await clock.advance(100);
  line.update({ ...run, done: 7, expected: 40, failed: 0 });
  await clock.advance(100);
  line.update({ ...run, repeat: 1, done: 9, expected: 40, failed: 2 });
  line.end();
  expect(written).toEqual([
    `${EMPTY}a · round 1 of 2 · starts`,
    `${EMPTY}a · round 1 of 2 · 7 of 40 requests`,
    `${EMPTY}a · 9 of 40 requests · 2 failed`,
    EMPTY,
  ]);
});
