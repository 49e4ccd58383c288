import { describe, expect, it } from 'vitest';
import { pagesOf } from '../cache/support/tiered-simulation.ts';
import { attachTo, Cluster } from './support/cluster.ts';

const PAGES = 6;
const LETTERS = 'abcdef';
/** All tokens but the last one, which is always computed. */
const FOUND = 4 * PAGES - 1;

function forget({ ranks }: Cluster): void {
  for (const { simulation } of ranks) expect(simulation.scheduler.flush()).toBe(true);
}

describe('what L2 holds when a backend is attached', () => {
  it('is written to it in the background', async () => {
    const cluster = await Cluster.started(1);
    await cluster.serve(LETTERS);
    expect(await cluster.outcome(cluster.coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe(
      'ok',
    );
    await cluster.settle();
    expect(cluster.stores.a.written.size).toBe(PAGES);
    forget(cluster);
    expect(await cluster.serve(LETTERS)).toEqual([FOUND]);
    await cluster.expectSound();
  });

  it('is left where it is when nobody wants that', async () => {
    const cluster = await Cluster.started(1);
    await cluster.serve(LETTERS);
    const change = attachTo('a', { backfill: false });
    expect(await cluster.outcome(cluster.coordinator.attach(change, cluster.order('idle')))).toBe('ok');
    await cluster.settle();
    expect(cluster.stores.a.written.size).toBe(0);
    await cluster.expectSound();
  });

  it('is written however much it is, and keeps no operation waiting', async () => {
    const cluster = await Cluster.started(1, { cache: { hostPages: 400 }, cells: 4096 });
    for (let i = 0; i < 30; i++) await cluster.serve(`${String.fromCharCode(97 + (i % 26))}${i}${LETTERS}`);
    // Seven whole pages each, of which four begin like another one. What is left over behind them is not stored.
    const pages = 30 * 7 - 4;
    const held = cluster.ranks[0]!.simulation.scheduler.report().cache.hostPages.used;
    expect(held).toBeGreaterThanOrEqual(pages);
    cluster.stores.a.latency = 1;
    const { coordinator } = cluster;
    expect(await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe('ok');
    // Not idle in a strict sense: but no request waits for it.
    const update = coordinator.attach(attachTo('a', { writePolicy: 'write_back' }), cluster.order('idle'));
    expect(await cluster.outcome(update)).toBe('ok');
    await cluster.settle();
    expect(cluster.stores.a.written.size).toBe(pages);
    await cluster.expectSound();
  });

  it('is not written any further to a store that fails', async () => {
    const cluster = await Cluster.started(1);
    await cluster.serve(LETTERS);
    cluster.stores.a.failing = true;
    expect(await cluster.outcome(cluster.coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe(
      'storage_failed',
    );
    cluster.stores.a.failing = false;
    expect(await cluster.outcome(cluster.coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe(
      'ok',
    );
    cluster.stores.a.failing = true;
    await cluster.settle();
    await cluster.expectSound();
  });
});

describe('a switch with read_through', () => {
  async function switched(readThrough: number): Promise<Cluster> {
    const cluster = await Cluster.started(1);
    const { coordinator } = cluster;
    expect(await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order()))).toBe('ok');
    await cluster.serve(LETTERS);
    forget(cluster);
    const change = attachTo('b', { replace: true, readThrough });
    expect(await cluster.outcome(coordinator.attach(change, cluster.order()))).toBe('ok');
    return cluster;
  }

  it('finds what only the backend before has, and writes it to the new one', async () => {
    const cluster = await switched(60);
    const { stores, ranks, clock } = cluster;
    expect(stores.a.openBy).toEqual([0]);
    const told = ranks[0]!.submit({ id: 900, prompt: pagesOf(LETTERS), maxTokens: 1 });
    await clock.advance(1000);
    expect(told.started[0]).toEqual({ device: 0, host: 0, storage: FOUND });
    expect(stores.b.written.size).toBe(PAGES);
    await clock.advance(60_000);
    expect(stores.a.openBy).toEqual([]);
    forget(cluster);
    expect(await cluster.serve(LETTERS)).toEqual([FOUND]);
    await cluster.expectSound();
  });

  it('asks the backend before no more when the time is over, nor without it', async () => {
    for (const seconds of [0, 5]) {
      const cluster = await switched(seconds);
      await cluster.clock.advance(seconds * 1000 + 1);
      expect(cluster.stores.a.openBy).toEqual([]);
      expect(await cluster.serve(LETTERS)).toEqual([0]);
      await cluster.expectSound();
    }
  });

  it('closes the backend before at once when another change comes', async () => {
    const cluster = await switched(3600);
    expect(await cluster.outcome(cluster.coordinator.detach(cluster.order()))).toBe('ok');
    expect([cluster.stores.a.openBy, cluster.stores.b.openBy]).toEqual([[], []]);
    await cluster.expectSound();
  });
});

describe('under load', () => {
  it('S2: idle counts what is being written, and says so', async () => {
    const cluster = await Cluster.started(1);
    const { coordinator, ranks, stores, clock, records } = cluster;
    await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order()));
    stores.a.latency = 1000;
    const told = ranks[0]!.submit({ id: 901, prompt: pagesOf(LETTERS), maxTokens: 1 });
    // Its prefetch, which finds nothing, then its answer.
    await clock.advance(1100);
    expect(told.ended).toHaveLength(1);
    expect(await cluster.outcome(coordinator.detach(cluster.order('idle')))).toBe('scheduler_not_idle');
    expect(records.at(-1)?.ranks[0]?.message).toMatch(
      /^Reject detach: scheduler is not idle. #queue-req=0 #running-req=0 blocked-by: backup=\d$/,
    );
    expect(await cluster.outcome(coordinator.detach(cluster.order('drain')))).toBe('ok');
    expect(stores.a.written.size).toBe(PAGES);
    await cluster.expectSound();
  });

  it('a request that waits for a prefetch computes when its backend is detached', async () => {
    const cluster = await Cluster.started(1);
    const { coordinator, ranks, stores, clock } = cluster;
    await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order()));
    await cluster.serve(LETTERS);
    forget(cluster);
    stores.a.latency = 30;
    const request = { id: 902, prompt: pagesOf(LETTERS), maxTokens: 1 };
    const told = ranks[0]!.submit(request);
    // It is asked what is there, and then it is read.
    await clock.advance(45);
    expect(told.started).toEqual([]);
    expect(await cluster.outcome(coordinator.detach(cluster.order('live')))).toBe('ok');
    await clock.advance(10);
    expect(told.started[0]).toEqual({ device: 0, host: 0, storage: 0 });
    await cluster.settle();
    ranks[0]!.simulation.expectAnswered(request);
    expect(ranks[0]!.simulation.counts.missed.stale).toBe(4 * PAGES);
    await cluster.expectSound();
  });

  it.each([
    // They begin a millisecond after the request came.
    { latency: 500, waited: 401, written: PAGES },
    { latency: 20_000, waited: 2000, written: 0 },
  ])(
    'writes that take $latency ms have the grace period to end, and no more',
    async ({ latency, waited, written }) => {
      const cluster = await Cluster.started(1);
      const { coordinator, ranks, stores, clock } = cluster;
      await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order()));
      stores.a.writeLatency = latency;
      ranks[0]!.submit({ id: 904, prompt: pagesOf(LETTERS), maxTokens: 1 });
      await clock.advance(100);
      const { outcome, milliseconds } = await cluster.timed(coordinator.detach(cluster.order('live')));
      expect(outcome).toBe('ok');
      expect(milliseconds).toBe(waited);
      await cluster.settle();
      expect(stores.a.written.size).toBe(written);
      const { notStored } = ranks[0]!.simulation.counts;
      expect(notStored).toEqual(written > 0 ? {} : { stale: 4 * PAGES });
      await cluster.expectSound();
    },
  );
});

describe('drain', () => {
  it('holds what arrives meanwhile, and serves it afterwards from the new backend', async () => {
    const cluster = await Cluster.started(2);
    const { coordinator, ranks, clock } = cluster;
    await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order()));
    await cluster.serve(LETTERS);
    forget(cluster);
    await cluster.outcome(coordinator.detach(cluster.order()));
    const long = ranks[0]!.submit({ id: 905, prompt: pagesOf('x'), maxTokens: 50, ignoreEnd: true });
    await clock.advance(5);
    const attached = cluster.outcome(coordinator.attach(attachTo('a'), cluster.order('drain')));
    await clock.advance(5);
    const held = ranks.map((rank) => rank.submit({ id: 906, prompt: pagesOf(LETTERS), maxTokens: 1 }));
    await clock.advance(20);
    expect(held.map(({ started }) => started)).toEqual([[], []]);
    expect(await attached).toBe('ok');
    expect(long.tokens).toHaveLength(50);
    await cluster.settle();
    for (const { started, failures } of held) {
      expect(failures).toEqual([]);
      expect(started[0]).toEqual({ device: 0, host: 0, storage: FOUND });
    }
    await cluster.expectSound();
  });

  it('changes nothing when it takes too long, says what it waited for, and lets everybody go on', async () => {
    const cluster = await Cluster.started(2);
    const { coordinator, ranks, clock } = cluster;
    ranks[1]!.submit({ id: 907, prompt: pagesOf('x'), maxTokens: 600, ignoreEnd: true });
    await clock.advance(5);
    const attached = coordinator.attach(attachTo('a'), cluster.order('drain', 200));
    attached.catch(() => undefined);
    await clock.advance(5);
    const held = ranks[1]!.submit({ id: 908, prompt: pagesOf(LETTERS), maxTokens: 1 });
    expect(await cluster.outcome(attached)).toBe('deadline_exceeded');
    await expect(attached).rejects.toThrow('blocked-by: rank 1: running=1, waiting=1');
    expect(await cluster.attached()).toEqual(['detached null null', 'detached null null']);
    await clock.advance(100);
    expect(held.ended).toHaveLength(1);
    await cluster.expectSound();
  });
});
