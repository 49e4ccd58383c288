import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import { RateLimit } from '../../../src/storage/maintenance/rate-limit.ts';
import { never } from '../support/calls.ts';

interface Passed {
  at: number;
  bytes: number;
}

/** What passes when pieces come one after the other, each after a pause. */
async function pass(
  bytesPerSecond: number,
  pieces: readonly { pause: number; bytes: number }[],
): Promise<Passed[]> {
  const clock = new VirtualClock();
  const limit = new RateLimit(clock, bytesPerSecond);
  const passed: Passed[] = [];
  const all = (async () => {
    for (const { pause, bytes } of pieces) {
      if (pause > 0) await clock.sleep(pause);
      await limit.take(bytes, never);
      passed.push({ at: clock.now(), bytes });
    }
  })();
  for (let i = 0; passed.length < pieces.length && i < 10_000; i++) await clock.advance(10_000);
  await all;
  return passed;
}

test('in no stretch of time more passes than the rate, a tenth of a second, and one piece', async () => {
  const piece = fc.record({
    pause: fc.constantFrom(0, 0, 0, 1, 50, 5000),
    bytes: fc.integer({ min: 0, max: 5000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 100, max: 100_000 }),
      fc.array(piece, { minLength: 1, maxLength: 30 }),
      async (rate, pieces) => {
        const passed = await pass(rate, pieces);
        for (const [i, first] of passed.entries()) {
          let sum = 0;
          for (const { at, bytes } of passed.slice(i)) {
            sum += bytes;
            const largest = Math.max(...passed.map((one) => one.bytes));
            expect(sum).toBeLessThanOrEqual(((at - first.at + 100) * rate) / 1000 + largest + 1e-6);
          }
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('pieces that are always there pass as fast as the rate, and not slower', async () => {
  const passed = await pass(
    1000,
    Array.from({ length: 100 }, () => ({ pause: 0, bytes: 50 })),
  );
  expect(passed.at(-1)?.at).toBeLessThanOrEqual(5000);
  expect(passed.at(-1)?.at).toBeGreaterThanOrEqual(4900 - 50);
});

test('without a bound nothing waits, and what waits does not when the work ends', async () => {
  const clock = new VirtualClock();
  await new RateLimit(clock, Number.POSITIVE_INFINITY).take(1e12, never);
  const end = new AbortController();
  const waiting = new RateLimit(clock, 1).take(1e6, end.signal);
  end.abort();
  await waiting;
  expect(clock.now()).toBe(0);
});
