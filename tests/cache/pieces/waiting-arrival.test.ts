import { describe, expect, it } from 'vitest';
import { DEFAULT_PREFETCH, type PrefetchSettings, patience } from '../../../src/cache/prefetch-policy.ts';
import { Prefix } from '../../../src/cache/prefix.ts';
import { RadixTree } from '../../../src/cache/radix-tree.ts';
import { WaitingArrival } from '../../../src/cache/waiting-arrival.ts';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { Clock } from '../../../src/shared/clock.ts';

const settings = (some: Partial<PrefetchSettings>): PrefetchSettings => ({ ...DEFAULT_PREFETCH, ...some });

/** One that waits for pages 0 to 4 of a prompt. */
function waiting(clock: Clock, some: Partial<PrefetchSettings>) {
  const events = { progress: 0, left: 0, again: [] as boolean[], asked: [] as number[] };
  const prefix = new Prefix(new Int32Array(16), '', 4);
  const tree = new RadixTree(4, 'lru');
  const arrival: WaitingArrival = new WaitingArrival({
    prefix,
    tree,
    clock,
    settings: settings(some),
    join: (asked) => {
      events.asked.push(asked);
      return asked === 0 ? { from: 0, to: 4 } : undefined;
    },
    onProgress: () => events.progress++,
    onWaitAgain: () => events.again.push(arrival.ready()),
    onLeave: () => events.left++,
  });
  arrival.advance();
  /** Its pages come to L2. */
  const arrive = () => {
    const node = tree.add(tree.root(''), prefix, 0, 4);
    if (node) tree.putOnHost(node, new Int32Array(4));
    arrival.arrived(prefix, 0, 4);
    arrival.advance();
    return () => {
      arrival.unlock();
      if (node) tree.takeOffHost(node);
    };
  };
  return { arrival, events, arrive };
}

describe('patience', () => {
  const timeout = settings({ policy: 'timeout', timeoutBase: 2, timeoutPerKiToken: 0.5, timeoutMax: 5 });

  it.each([
    [0, 2000],
    [1024, 2500],
    [512, 2250],
    [6144, 5000],
    [1_000_000, 5000],
  ])('of the timeout policy for %i tokens is %i ms', (tokens, milliseconds) => {
    expect(patience(timeout, tokens)).toBe(milliseconds);
  });

  it('is none with best_effort, and endless with wait_complete', () => {
    expect(patience({ ...timeout, policy: 'best_effort' }, 1024)).toBe(0);
    expect(patience({ ...timeout, policy: 'wait_complete' }, 1024)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a request that waits for a fetch', () => {
  it('is ready at once with best_effort', () => {
    expect(waiting(new VirtualClock(), { policy: 'best_effort' }).arrival.ready()).toBe(true);
  });

  it('is ready when its patience ends, and says so', async () => {
    const clock = new VirtualClock();
    const { arrival, events } = waiting(clock, { policy: 'timeout', timeoutBase: 1, timeoutPerKiToken: 0 });
    await clock.advance(999);
    expect([arrival.ready(), events.progress]).toEqual([false, 0]);
    await clock.advance(1);
    expect([arrival.ready(), events.progress]).toEqual([true, 1]);
    arrival.leave();
  });

  it('is ready when its timer says so, also a moment early', async () => {
    // What Node.js does: its timers round the time of the loop.
    let wake = () => {};
    const clock: Clock = {
      now: () => 0,
      sleep: () =>
        new Promise((resolve) => {
          wake = resolve;
        }),
    };
    const { arrival } = waiting(clock, { policy: 'timeout' });
    wake();
    await Promise.resolve();
    await Promise.resolve();
    expect(arrival.ready()).toBe(true);
  });

  it('is ready with wait_complete only when there is nothing left to ask for', async () => {
    const clock = new VirtualClock();
    const { arrival, events } = waiting(clock, { policy: 'wait_complete' });
    await clock.advance(1e9);
    expect(arrival.ready()).toBe(false);
    arrival.advance();
    expect(arrival.ready()).toBe(true);
    expect(events.asked).toEqual([0, 4]);
  });

  it('leaves once, and lets its timer go', () => {
    const clock = new VirtualClock();
    const { arrival, events } = waiting(clock, { policy: 'timeout' });
    expect(clock.sleepers).toBe(1);
    arrival.leave();
    arrival.leave();
    expect([clock.sleepers, events.left]).toEqual([0, 1]);
  });

  it('asks again for what has left, with patience of its own, and counts it once', async () => {
    const clock = new VirtualClock();
    const { arrival, events, arrive } = waiting(clock, {
      policy: 'timeout',
      timeoutBase: 1,
      timeoutPerKiToken: 0,
    });
    const leave = arrive();
    await clock.advance(5000);
    expect([arrival.asksAgain(), arrival.kept.length]).toEqual([false, 1]);
    leave();
    expect([arrival.asksAgain(), arrival.ready(), events.asked]).toEqual([true, false, [0, 4, 0]]);
    expect(events.again).toEqual([false]);
    await clock.advance(999);
    expect(arrival.ready()).toBe(false);
    arrive();
    expect([arrival.ready(), arrival.asksAgain(), arrival.fetchedTokens(0, 16)]).toEqual([true, false, 16]);
    expect(arrival.kept.map(([, pages]) => pages)).toEqual([4]);
    arrival.leave();
  });

  it('asks again no more when it was late for what it asked again for', async () => {
    const clock = new VirtualClock();
    const { arrival, arrive } = waiting(clock, { policy: 'timeout', timeoutBase: 1, timeoutPerKiToken: 0 });
    arrive()();
    expect(arrival.asksAgain()).toBe(true);
    await clock.advance(1000);
    expect([arrival.ready(), arrival.asksAgain()]).toEqual([true, false]);
    arrival.leave();
    expect(arrival.asksAgain()).toBe(false);
  });
});
