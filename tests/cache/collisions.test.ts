import { describe, expect, it, vi } from 'vitest';
import { Prefix } from '../../src/cache/prefix.ts';
import { pagesOf, TieredSimulation } from './support/tiered-simulation.ts';

// Every page of equal place in its prompt has the same key: the worst hash there can be.
vi.mock('../../src/shared/page-keys.ts', async (original) => ({
  ...(await original()),
  pageKeys: (previous: string, tokens: Int32Array, pageSize: number) => {
    const before = previous === '' ? 0 : Number(previous);
    return Array.from({ length: Math.floor(tokens.length / pageSize) }, (_, i) => String(before + i + 1));
  },
}));

describe('W7: equal keys of unequal tokens', () => {
  it('are what this file makes', () => {
    const [one, other] = ['ab', 'xy'].map((letters) => new Prefix(Int32Array.from(pagesOf(letters)), '', 4));
    expect(one?.keys(0, 2)).toEqual(other?.keys(0, 2));
  });

  it('give nobody the pages of another prompt', async () => {
    const simulation = new TieredSimulation({ hostPages: 32 });
    const first = await simulation.serve({ id: 1, prompt: pagesOf('abc'), maxTokens: 6 });
    const other = await simulation.serve({ id: 2, prompt: pagesOf('xyz'), maxTokens: 6 });
    expect([first, other].map(({ started }) => started)).toEqual([
      [{ device: 0, host: 0, storage: 0 }],
      [{ device: 0, host: 0, storage: 0 }],
    ]);
    const same = await simulation.serve({ id: 3, prompt: pagesOf('abc1'), maxTokens: 6 });
    expect(same.started).toEqual([{ device: 12, host: 0, storage: 0 }]);
    await simulation.settle();
  });

  it('give right answers in any order, also where prompts have a beginning in common', async () => {
    const simulation = new TieredSimulation({ cells: 48, hostPages: 6, maxRunningRequests: 3 });
    const prompts = ['ab', 'ax', 'abc', 'axc1', 'b', 'abd', 'abcde', 'xy', 'axcde', 'ab12', 'bcde'];
    for (let id = 0; id < 60; id++) {
      const letters = prompts[(id * id + 3 * id) % prompts.length]!;
      simulation.submit({ id, prompt: pagesOf(letters), maxTokens: 1 + (id % 5), ignoreEnd: true });
      await simulation.steps(id % 4);
    }
    await simulation.settle();
  });
});
