import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Staging } from '../../../src/storage/drivers/redis/staging.ts';
import { Window } from '../../../src/storage/drivers/redis/window.ts';

const SIZE = 100;

test('no more than its bytes are under way, in the order of who comes, and who leaves makes room', async () => {
  const work = fc.record({
    bytes: fc.integer({ min: 0, max: 150 }),
    leaves: fc.boolean(),
    fails: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(work, { maxLength: 30 }),
      fc.infiniteStream(fc.nat()),
      async (items, random) => {
        const window = new Window(SIZE);
        const running = new Map<number, () => void>();
        const began: number[] = [];
        const controllers = items.map(() => new AbortController());
        const calls = items.map(({ bytes, fails }, i) =>
          window.run(bytes, controllers[i]!.signal, () => {
            began.push(i);
            return new Promise<void>((resolve, reject) => running.set(i, fails ? reject : resolve));
          }),
        );
        const ended = Promise.allSettled(calls);
        for (const [i, { leaves }] of items.entries()) if (leaves) controllers[i]!.abort();
        while (true) {
          await new Promise((resolve) => setImmediate(resolve));
          const bytes = [...running.keys()].map((i) => Math.min(items[i]!.bytes, SIZE));
          expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(SIZE);
          const [next] = [...running.keys()].slice(random.next().value % Math.max(running.size, 1));
          if (next === undefined) break;
          running.get(next)?.();
          running.delete(next);
        }
        await ended;
        expect(began).toEqual([...began].sort((a, b) => a - b));
        expect(items.every(({ leaves }, i) => leaves || began.includes(i))).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});

test('memory is used again when it was given back, and never by two at once', () => {
  const staging = new Staging(100_000);
  const part = Buffer.alloc(20_000, 1);
  const first = staging.gather([part, part]);
  const second = staging.gather([part, part]);
  expect(first.equals(Buffer.alloc(40_000, 1))).toBe(true);
  expect(second.buffer).not.toBe(first.buffer);
  staging.giveBack(first);
  expect(staging.gather([part, Buffer.alloc(20_000, 2)])).toBe(first);
  expect(first.subarray(20_000).equals(Buffer.alloc(20_000, 2))).toBe(true);
  expect(second.equals(Buffer.alloc(40_000, 1))).toBe(true);
  expect(staging.gather([part]).byteLength).toBe(20_000);
});
