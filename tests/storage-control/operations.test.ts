import { describe, expect, it } from 'vitest';
import type { StorageRequest } from '../../src/shared/storage-messages.ts';
import { attachTo, Cluster } from './support/cluster.ts';

describe('the storage of all ranks', () => {
  it('is attached, switched and detached', async () => {
    const cluster = await Cluster.started(3);
    const { coordinator } = cluster;
    expect(await cluster.attached()).toEqual(Array(3).fill('detached null null'));
    expect(await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order('idle')))).toBe('ok');
    expect(await cluster.attached()).toEqual(Array(3).fill('attached a 4'));
    await cluster.serve('abcdef');
    await cluster.expectSound();
    expect(await cluster.serve('abcdef')).toEqual([23, 23, 23]);
    const toB = attachTo('b', { replace: true });
    expect(await cluster.outcome(coordinator.attach(toB, cluster.order('idle')))).toBe('ok');
    expect(await cluster.attached()).toEqual(Array(3).fill('attached b 5'));
    expect(await cluster.outcome(coordinator.detach(cluster.order('idle')))).toBe('ok');
    expect(await cluster.attached()).toEqual(Array(3).fill('detached null null'));
    await cluster.expectSound();
  });

  it('is not disturbed by a message of an older operation that comes late', async () => {
    const cluster = await Cluster.started(1);
    const rank = cluster.ranks[0]!;
    const ask = async (request: StorageRequest) => cluster.during(rank.storage(request, 1000));
    const prepare = (operation: number, backend: string): StorageRequest => ({
      kind: 'prepare',
      operation,
      epoch: operation,
      mode: 'live',
      change: attachTo(backend),
      fingerprint: 'model',
      milliseconds: 10_000,
    });
    const commit = (operation: number): StorageRequest => ({
      kind: 'commit',
      operation,
      graceMilliseconds: 0,
    });
    const over = { kind: 'refused', code: 'operation_over' };
    expect(await ask(prepare(20, 'b'))).toMatchObject({ kind: 'prepared' });
    expect(await ask(prepare(19, 'a'))).toMatchObject(over);
    expect(await ask({ kind: 'abort', operation: 19 })).toEqual({ kind: 'done' });
    expect(await ask(commit(19))).toMatchObject(over);
    expect(await ask(commit(20))).toEqual({ kind: 'done' });
    expect(await ask(commit(20))).toEqual({ kind: 'done' });
    expect(await ask(prepare(20, 'a'))).toMatchObject(over);
    expect(await cluster.attached()).toEqual(['attached b 20']);
    expect(cluster.stores.a.openBy).toEqual([]);
  });

  it('is let go of by a rank that hears nothing more of it', async () => {
    const cluster = await Cluster.started(1);
    const rank = cluster.ranks[0]!;
    rank.fault = ({ kind }) => (kind === 'commit' || kind === 'abort' ? 'lost' : undefined);
    const { coordinator } = cluster;
    expect(await cluster.outcome(coordinator.attach(attachTo('a'), cluster.order('drain', 1000)))).toBe('ok');
    // It was started again, as it did not carry out what was decided.
    expect(rank.restarts).toBe(1);
    rank.fault = () => undefined;
    await cluster.settle();
    expect(await cluster.attached()).toEqual([expect.stringContaining('attached a')]);
    await cluster.expectSound();
  });
});
