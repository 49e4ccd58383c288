import { describe, expect, it } from 'vitest';
import { HostPool } from '../../../src/controller/host-pool.ts';
import { Prefetch, type PrefetchOptions } from '../../../src/controller/prefetch.ts';
import { StorageLink } from '../../../src/controller/storage-link.ts';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { HasResult, ReadResult, StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { CacheCounts } from '../../support/cache-counts.ts';

const PAGES = 40;
const BYTES = 8;
const HIT: HasResult = { status: 'hit' };
const READ: ReadResult = { status: 'hit', bytes: BYTES };
const FAILED: ReadResult = { status: 'error', error: { kind: 'io', message: 'made by the test' } };

/** A prefetch of 40 pages from a driver that answers when the test says so. */
function prefetch(some: Partial<PrefetchOptions> = {}, batch = 128) {
  const calls: { keys: string[]; answer: (results: unknown) => void; signal: AbortSignal }[] = [];
  const call = <R>(keys: string[], signal: AbortSignal) =>
    new Promise<R[]>((resolve) => {
      calls.push({ keys, signal, answer: (results) => resolve(results as R[]) });
    });
  const driver: StorageDriver = {
    ...memoryDriver(),
    capabilities: { batch, largestValue: 1000, list: false },
    has: (keys, signal) => call<HasResult>([...keys], signal),
    read: (reads, signal) =>
      call<ReadResult>(
        reads.map(({ key }) => key),
        signal,
      ),
  };
  const pool = new HostPool(PAGES, BYTES);
  const counts = new CacheCounts();
  const link = new StorageLink(driver, 1);
  const placed: [index: number, pages: number][] = [];
  const changes: (() => void)[] = [];
  let ended = 0;
  const made = new Prefetch({
    keys: Array.from({ length: PAGES }, (_, i) => `key${i}`),
    link,
    pool,
    clock: new VirtualClock(),
    observer: counts,
    tokensPerPage: 1,
    leastPages: 1,
    takeSlots: (count) => pool.take(Math.min(count, pool.free)) ?? new Int32Array(),
    roomWillCome: () => true,
    isPage: () => true,
    goesOn: () => false,
    placeTail: (_pages, _tokens, slot) => pool.release(slot),
    place: (index, slots) => {
      placed.push([index, slots.length]);
      return true;
    },
    onEnd: () => ended++,
    whenPlaceable: (place) => changes.push(place),
    ...some,
  });
  made.start();
  /** Answers the oldest call. */
  const answer = async (result: object, count?: number, rest: object = { status: 'miss' }) => {
    const { keys, answer } = calls.shift()!;
    answer(keys.map((_, i) => (i < (count ?? keys.length) ? result : rest)));
    await settle();
  };
  const step = async () => {
    for (const change of changes.splice(0)) change();
    await settle();
  };
  return { made, calls, pool, counts, link, placed, changes, answer, step, ended: () => ended };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('a prefetch', () => {
  it('asks in batches as large as the driver takes, and reads what is there, two calls at a time, in order', async () => {
    const { made, calls, pool, answer, step, placed, ended, link, counts } = prefetch({}, 30);
    expect(made.state).toBe('asking');
    await answer(HIT);
    expect(calls.map(({ keys }) => keys.length)).toEqual([10]);
    expect(pool.free).toBe(PAGES);
    await answer(HIT, 5);
    expect(made.state).toBe('reading');
    expect(pool.free).toBe(5);
    expect(calls.map(({ keys }) => keys.length)).toEqual([16, 16]);
    await answer(READ);
    expect(placed).toEqual([]);
    await step();
    expect(placed).toEqual([[0, 16]]);
    expect(calls.map(({ keys }) => keys.length)).toEqual([16, 3]);
    await answer(READ);
    await step();
    await answer(READ);
    await step();
    expect(placed).toEqual([
      [0, 16],
      [16, 16],
      [32, 3],
    ]);
    expect([made.state, made.placed, ended(), counts.prefetchedTokens]).toEqual(['ended', 35, 1, 35]);
    expect([link.knows('key34'), link.knows('key35')]).toEqual([true, false]);
  });

  it('ends where too little is stored, and knows that it is not', async () => {
    const { made, link, answer, ended, pool } = prefetch({ leastPages: 3 });
    link.learn('key2');
    await answer(HIT, 2);
    expect([made.state, ended(), pool.free, link.knows('key2')]).toEqual(['ended', 1, PAGES, false]);
  });

  it('takes an error for the end of what is stored', async () => {
    const { made, answer } = prefetch();
    await answer(FAILED, 40);
    expect(made.state).toBe('ended');
  });

  it('places the good pages before a bad one, ends there, and lets the others go', async () => {
    const { made, answer, step, placed, pool, counts, calls, ended } = prefetch();
    await answer(HIT);
    await answer(READ, 3);
    await step();
    expect(placed).toEqual([[0, 3]]);
    expect([made.state, ended(), counts.missed]).toEqual(['ended', 1, { error: 37 }]);
    expect(calls.map(({ signal }) => signal.aborted)).toEqual([true]);
    await answer(READ);
    expect(pool.free).toBe(PAGES - 3);
    expect(placed).toHaveLength(1);
  });

  it.each([
    ['what is no page', { isPage: (_: Uint8Array, index: number) => index !== 2 }, READ],
    ['a value of another length', {}, { status: 'hit', bytes: BYTES - 1 }],
  ])('places no %s', async (_, some, result) => {
    const { made, answer, step, placed, pool, counts } = prefetch(some);
    await answer(HIT, 4);
    await answer(READ, 2, result);
    await step();
    expect(placed).toEqual([[0, 2]]);
    expect([made.state, pool.free, counts.missed]).toEqual(['ended', PAGES - 2, { rejected: 2 }]);
  });

  it('ends when its prefix has left', async () => {
    const { made, answer, step, counts } = prefetch({ place: () => false });
    await answer(HIT, 4);
    await answer(READ);
    await step();
    expect([made.state, made.placed, counts.missed]).toEqual(['ended', 0, { no_prefix: 4 }]);
  });

  it('waits for room where some will come, and reads when it is there', async () => {
    let room = 0;
    const { made, answer, calls, pool, counts } = prefetch({
      takeSlots: (count) => pool.take(Math.min(count, room)) ?? new Int32Array(),
    });
    await answer(HIT, 4);
    expect(made.state).toBe('waiting-for-room');
    made.retry();
    expect(made.state).toBe('waiting-for-room');
    room = 3;
    made.retry();
    expect(made.state).toBe('reading');
    expect(calls.map(({ keys }) => keys.length)).toEqual([3]);
    expect(counts.missed).toEqual({ no_room: 1 });
    made.retry();
    expect(calls).toHaveLength(1);
  });

  it('tells how long the storage took, without the time that it waited for room', async () => {
    const clock = new VirtualClock();
    let room = 0;
    const { made, answer, pool } = prefetch({
      clock,
      takeSlots: (count) => pool.take(Math.min(count, room)) ?? new Int32Array(),
    });
    await clock.advance(10);
    await answer(HIT, 4);
    await clock.advance(2000);
    expect([made.state, made.age]).toEqual(['waiting-for-room', 10]);
    room = 4;
    made.retry();
    await clock.advance(30);
    expect([made.state, made.age]).toEqual(['reading', 40]);
  });

  it('ends where no room will come', async () => {
    const { made, answer, counts } = prefetch({
      takeSlots: () => new Int32Array(),
      roomWillCome: () => false,
    });
    await answer(HIT, 4);
    expect([made.state, counts.missed]).toEqual(['ended', { no_room: 4 }]);
  });
});

describe('a cancelled prefetch', () => {
  it('has ended at once when it was asking, and reads nothing', async () => {
    const { made, answer, calls, ended, pool } = prefetch();
    made.cancel('cancelled');
    expect([made.state, ended()]).toEqual(['ended', 1]);
    await answer(HIT);
    expect([calls.length, pool.free]).toEqual([0, PAGES]);
  });

  it('has ended at once when it waited for room', async () => {
    const { made, answer, ended, counts } = prefetch({ takeSlots: () => new Int32Array() });
    await answer(HIT, 4);
    made.cancel('cancelled');
    made.cancel('cancelled');
    expect([made.state, ended(), counts.missed]).toEqual(['ended', 1, { cancelled: 4 }]);
  });

  it('gives back what it has not asked for at once, and the rest when the driver answers', async () => {
    const { made, answer, pool, placed } = prefetch();
    await answer(HIT);
    made.cancel('cancelled');
    await settle();
    await answer(READ);
    await answer(READ);
    expect([pool.free, placed.length]).toEqual([PAGES, 0]);
  });

  it('holds the slots that a driver still fills until it lets go of them', async () => {
    const { made, answer, pool } = prefetch();
    let letGo = () => {};
    const settled = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await answer(HIT, 4);
    made.cancel('cancelled');
    await answer({ status: 'error', error: { kind: 'aborted', message: '' }, settled });
    expect(pool.free).toBe(PAGES - 4);
    letGo();
    await settle();
    expect(pool.free).toBe(PAGES);
  });

  it('places nothing of what had arrived before', async () => {
    const { made, answer, step, placed, pool } = prefetch();
    await answer(HIT, 4);
    await answer(READ);
    made.cancel('stale');
    await step();
    expect([placed.length, pool.free, made.state]).toEqual([0, PAGES, 'ended']);
  });

  it('is aborted with its link, too', async () => {
    const { calls, link } = prefetch();
    link.end();
    expect(calls[0]?.signal.aborted).toBe(true);
  });
});
