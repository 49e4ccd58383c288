import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteBudget } from '../../../src/storage/maintenance/byte-budget.ts';

test('what is in flight fits into the budget or is alone, and everybody has a turn, in order', async () => {
  const piece = fc.record({ bytes: fc.integer({ min: 0, max: 150 }), turns: fc.integer({ min: 0, max: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const budget = new ByteBudget(100);
      const running = new Map<number, number>();
      const begun: number[] = [];
      await Promise.all(
        pieces.map(async ({ bytes, turns }, i) => {
          const giveBack = await budget.take(bytes);
          begun.push(i);
          running.set(i, bytes);
          const sum = [...running.values()].reduce((total, one) => total + one, 0);
          expect(sum <= 100 || [...running.values()].filter((one) => one > 0).length === 1).toBe(true);
          for (let turn = 0; turn < turns; turn++) await setImmediate();
          running.delete(i);
          giveBack();
        }),
      );
      expect(begun).toEqual(pieces.map((_, i) => i));
      expect(budget.used).toBe(0);
    }),
    { numRuns: 100 },
  );
});
