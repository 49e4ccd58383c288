import { describe, expect, it } from 'vitest';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';
import type { Trouble } from './support/troubled-store.ts';

const TROUBLES: Trouble[] = [
  'hang',
  'throw',
  'reject',
  'fail',
  'nonsense',
  'miss',
  'damage',
  'truncate',
  'exchange',
  300,
  50_000,
];

/** Stores, forgets, fetches, branches and evicts; answers how many calls that took. */
async function scenario(trouble: { nth: number; kind: Trouble } | undefined): Promise<number> {
  const simulation = new TieredSimulation({
    cells: 40,
    hostPages: 16,
    prefetch: { policy: 'wait_complete' },
  });
  const { store } = simulation;
  store.plan = (_, call) => (call === trouble?.nth ? trouble.kind : undefined);
  simulation.attach();
  let id = 0;
  const serve = async (...prompts: string[]) => {
    for (const letters of prompts)
      simulation.submit({ id: id++, prompt: pagesOf(letters), maxTokens: 3, ignoreEnd: true });
    await simulation.drain();
  };
  await serve('abc1', 'abcd2');
  simulation.forget();
  await serve('abcd1', 'abx1', 'abcd1', 'yz');
  simulation.attach();
  await serve('pqrst1', 'abxy1');
  simulation.forget();
  await serve('abxy2', 'pqr', 'abcdef1');
  expect(simulation.asked.flatMap(({ id }) => simulation.output.of(id).failures)).toEqual([]);
  await simulation.settle();
  return store.calls.length;
}

describe('when one call of the storage goes wrong', () => {
  it.each(TROUBLES)(
    'with "%s", every answer is right and nothing leaks, whichever call it is',
    async (kind) => {
      const calls = await scenario(undefined);
      expect(calls).toBeGreaterThan(15);
      for (let nth = 0; nth < calls; nth++) await scenario({ nth, kind });
    },
  );
});
