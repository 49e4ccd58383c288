import { describe, expect, it } from 'vitest';
import { Backups } from '../../../src/controller/backups.ts';
import { HostPool } from '../../../src/controller/host-pool.ts';
import { StorageLink } from '../../../src/controller/storage-link.ts';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageDriver, WriteResult } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { CacheCounts } from '../../support/cache-counts.ts';

const STORED: WriteResult = { status: 'stored' };
const FAILED: WriteResult = { status: 'error', error: { kind: 'io', message: 'made by the test' } };

/** Backups to a driver that answers when the test says so. */
function backups({ mostQueued = 100, batch = 128 } = {}) {
  const calls: { keys: string[]; end: (results: WriteResult[]) => void; fail: (error: Error) => void }[] = [];
  const driver: StorageDriver = {
    ...memoryDriver(),
    capabilities: { batch, largestValue: 1000, list: false },
    write: (writes) =>
      new Promise((resolve, reject) => {
        calls.push({ keys: writes.map(({ key }) => key), end: resolve, fail: reject });
      }),
  };
  const pool = new HostPool(64, 8);
  const counts = new CacheCounts();
  const link = new StorageLink(driver, 1);
  let idle = 0;
  const made = new Backups({
    pool,
    link,
    clock: new VirtualClock(),
    observer: counts,
    mostQueued,
    tokensPerPage: 1,
    onIdle: () => idle++,
  });
  const slots = pool.take(64)!;
  /** Offers pages as somebody does who then lets go of them. */
  const add = (from: number, to: number) => {
    const keys = Array.from({ length: to - from }, (_, i) => `key${from + i}`);
    made.add(keys, slots.subarray(from, to));
  };
  const answer = async (result: WriteResult) => {
    const { keys, end } = calls.shift()!;
    end(keys.map(() => result));
    await settle();
  };
  return { made, calls, pool, counts, link, slots, add, answer, idle: () => idle };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('backups', () => {
  it('write in the order in which pages came, sixteen in a call, two calls at a time', async () => {
    const { made, calls, add, answer, idle } = backups();
    add(0, 50);
    expect(calls.map(({ keys }) => [keys[0], keys.length])).toEqual([
      ['key0', 16],
      ['key16', 16],
    ]);
    expect([made.inFlight, made.queued]).toEqual([2, 18]);
    await answer(STORED);
    await answer(STORED);
    expect(calls.map(({ keys }) => [keys[0], keys.length])).toEqual([
      ['key32', 16],
      ['key48', 2],
    ]);
    expect(idle()).toBe(0);
    await answer(STORED);
    await answer(STORED);
    expect([made.inFlight, made.queued, idle()]).toEqual([0, 0, 1]);
  });

  it('write no more in a call than the driver takes', () => {
    const { calls, add } = backups({ batch: 3 });
    add(0, 5);
    expect(calls.map(({ keys }) => keys.length)).toEqual([3, 2]);
  });

  it('hold their slots while they need them, and no longer', async () => {
    const { pool, slots, add, answer } = backups();
    add(0, 2);
    pool.release(slots);
    expect(pool.free).toBe(62);
    await answer(STORED);
    expect(pool.free).toBe(64);
  });

  it('take no page that is stored, or on its way', async () => {
    const { calls, add, answer, link } = backups();
    add(0, 2);
    add(0, 2);
    await answer(STORED);
    add(0, 2);
    expect(calls).toEqual([]);
    link.unlearn('key1');
    add(0, 2);
    expect(calls.map(({ keys }) => keys)).toEqual([['key1']]);
  });

  it('take what failed again', async () => {
    const { calls, add, answer, counts } = backups();
    add(0, 1);
    await answer(FAILED);
    expect(counts).toMatchObject({ backedUpTokens: 0, notStored: { error: 1 } });
    add(0, 1);
    expect(calls).toHaveLength(1);
  });

  it('take no more than their bound, also of pages that the driver has not let go of', async () => {
    const { calls, add, answer, counts, made } = backups({ mostQueued: 3 });
    add(0, 5);
    expect(counts.notStored).toEqual({ queue_full: 2 });
    let letGo = () => {};
    const settled = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await answer({ status: 'error', error: { kind: 'timeout', message: '' }, settled });
    expect(made.inFlight).toBe(0);
    add(5, 6);
    expect([calls.length, counts.notStored.queue_full]).toEqual([0, 3]);
    letGo();
    await settle();
    add(5, 6);
    expect(calls).toHaveLength(1);
  });

  it('go on after a call that rejects', async () => {
    const { calls, add, answer, counts, made } = backups({ batch: 1 });
    add(0, 3);
    calls.shift()!.fail(new Error('made by the test'));
    await settle();
    await answer(STORED);
    await answer(STORED);
    expect(counts).toMatchObject({ backedUpTokens: 2, notStored: { error: 1 } });
    expect(made.inFlight).toBe(0);
  });

  it('let go of what waits when they are stopped, and take nothing any more', async () => {
    const { calls, add, answer, counts, made, link, pool, slots } = backups({ batch: 1 });
    add(0, 5);
    link.end();
    made.stop();
    expect([made.queued, made.inFlight, counts.notStored]).toEqual([0, 2, { stale: 3 }]);
    add(5, 6);
    await answer({ status: 'error', error: { kind: 'aborted', message: '' } });
    await answer(STORED);
    pool.release(slots);
    expect([calls.length, pool.free, counts.notStored]).toEqual([0, 64, { stale: 4 }]);
  });
});
