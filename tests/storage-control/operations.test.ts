import { describe, expect, it } from 'vitest';
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
});
