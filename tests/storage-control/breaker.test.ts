import { expect, it } from 'vitest';
import { attachTo, Cluster } from './support/cluster.ts';

const LETTERS = 'abcdef';
/** All tokens of these pages but the last one, which is always computed. */
const FOUND = 4 * LETTERS.length - 1;

function forget({ ranks }: Cluster): void {
  for (const { simulation } of ranks) expect(simulation.scheduler.flush()).toBe(true);
}

async function breakers(cluster: Cluster): Promise<string[]> {
  const ranks = await cluster.during(cluster.coordinator.status());
  return ranks.map(({ status }) => `${status?.breaker} ${status?.health}`);
}

/** Ranks whose store holds the pages of {@link LETTERS}, which are nowhere else. */
async function serving(ranks: number): Promise<Cluster> {
  const cluster = await Cluster.started(ranks);
  const { coordinator } = cluster;
  expect(await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe('ok');
  await cluster.serve(LETTERS);
  forget(cluster);
  return cluster;
}

const set = (cluster: Cluster, state: 'open' | 'auto') =>
  cluster.outcome(cluster.coordinator.setBreakers(state, { timeoutMs: 1000, by: { key: 'test' } }));

it('is held open on all ranks, also on one that comes back, until it is released', async () => {
  const cluster = await serving(3);
  expect(await set(cluster, 'open')).toBe('ok');
  expect(await breakers(cluster)).toEqual(Array(3).fill('held healthy'));
  expect(await cluster.serve(LETTERS)).toEqual([0, 0, 0]);
  cluster.ranks[1]!.kill();
  await cluster.settle();
  expect(await breakers(cluster)).toEqual(Array(3).fill('held healthy'));
  forget(cluster);
  expect(await cluster.serve(LETTERS)).toEqual([0, 0, 0]);
  // New policies change nothing of it.
  const policies = attachTo('a', { writePolicy: 'write_back' });
  expect(await cluster.outcome(cluster.coordinator.attach(policies, cluster.order('live')))).toBe('ok');
  expect(await breakers(cluster)).toEqual(Array(3).fill('held healthy'));
  expect(await set(cluster, 'auto')).toBe('ok');
  await cluster.settle();
  expect(await breakers(cluster)).toEqual(Array(3).fill('closed healthy'));
  forget(cluster);
  expect(await cluster.serve(LETTERS)).toEqual([FOUND, FOUND, FOUND]);
  await cluster.expectSound();
});

it('is that of what is attached: another backend has its own, and where there is none it is refused', async () => {
  const cluster = await serving(2);
  const { coordinator } = cluster;
  expect(await set(cluster, 'open')).toBe('ok');
  const toB = attachTo('b', { replace: true });
  expect(await cluster.outcome(coordinator.attach(toB, cluster.order('live')))).toBe('ok');
  expect(await breakers(cluster)).toEqual(Array(2).fill('closed healthy'));
  cluster.ranks[0]!.kill();
  await cluster.settle();
  expect(await breakers(cluster)).toEqual(Array(2).fill('closed healthy'));
  expect(await cluster.outcome(coordinator.detach(cluster.order('live')))).toBe('ok');
  expect(await set(cluster, 'open')).toBe('storage_not_attached');
  expect(cluster.records.at(-1)).toMatchObject({
    operation: { kind: 'breaker_open' },
    outcome: 'storage_not_attached',
  });
  await cluster.expectSound();
});

it.each([
  ['fails', (cluster: Cluster, isIll: boolean) => Object.assign(cluster.stores.a, { failing: isIll })],
  [
    'hangs',
    (cluster: Cluster, isIll: boolean) => Object.assign(cluster.stores.a, { latency: isIll ? 100_000 : 0 }),
  ],
])(
  'a store that %s is left alone, and hits come again once it is well, without anybody’s help',
  async (_, make) => {
    const cluster = await serving(1);
    make(cluster, true);
    const rank = cluster.ranks[0]!;
    let id = 1000;
    const request = async () => {
      const asked = { id: ++id, prompt: [id % 30, 1, 2, 3, 4, 5, 6, 7, 8], maxTokens: 2 };
      const began = cluster.clock.now();
      const told = rank.submit(asked);
      while (told.ended.length === 0) await cluster.clock.advance(10);
      rank.simulation.expectAnswered(asked);
      return cluster.clock.now() - began;
    };
    for (let i = 0; i < 8 && (await breakers(cluster))[0] !== 'open failing'; i++) {
      await request();
      await cluster.clock.advance(12_000);
    }
    expect((await breakers(cluster))[0]).toMatch(/^(open|half-open) failing$/);
    const { errors } = (await cluster.during(cluster.coordinator.status()))[0]!.status!;
    const times = [];
    for (let i = 0; i < 20; i++) times.push(await request());
    // What it computes, and nothing besides.
    expect(Math.max(...times)).toBeLessThanOrEqual(30);
    const later = (await cluster.during(cluster.coordinator.status()))[0]!.status!;
    expect(later.errors - errors).toBeLessThanOrEqual(1);
    make(cluster, false);
    await cluster.clock.advance(120_000);
    expect(await breakers(cluster)).toEqual(['closed healthy']);
    forget(cluster);
    expect(await cluster.serve(LETTERS)).toEqual([FOUND]);
    await cluster.expectSound();
  },
);
